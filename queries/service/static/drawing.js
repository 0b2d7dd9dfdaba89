// The picture. What is not lit is a base of bitmaps that are painted when the graph, the order or the
// colours change; lighting, hovering and pinning draw few strokes above them, however many there are.
// Of the base the strongest interactions are painted at once, and the others in the next frames.

import { dots, isAway, isPinned, labels, matches, names, rules } from "./marks.js";
import { CanvasPen, SvgPen } from "./pens.js";
import { slices, strokes } from "./strokes.js";
import { byId } from "./words.js";

const canvas = byId("drawing");

function colours() {
  const style = getComputedStyle(document.documentElement);
  const named = (name) => style.getPropertyValue(`--${name}`).trim();
  return Object.fromEntries(["paper", "ink", "soft", "line", "up", "down", "unknown", "accent", "match"].map((name) => [name, named(name)]));
}

// Draw all of it exactly, as it is exported. `lit` is null, or what stands out: nodes and links.
function draw(pen, graph, look) {
  const inks = colours(), stroke = strokes(graph, look.width, inks), away = isAway(graph, look.isolated), { lit } = look;
  rules(pen, graph, inks);
  for (const part of lit ? [false, true] : [true]) {
    for (const each of graph.links) {
      if ((lit && lit.links.has(each.key) !== part) || away(each.from) || away(each.to)) continue;
      const { width, opacity, colour } = stroke(each);
      pen.curve(each.from, each.to, colour, width, part ? opacity : 0.045);
    }
  }
  matches(pen, graph, inks, lit);
  const stands = (each) => (!lit || lit.nodes.has(each.id)) && !away(each);
  dots(pen, graph, inks, graph.nodes.values(), look, (each) => (stands(each) ? 1 : 0.2));
  labels(pen, graph, inks, stands);
  names(pen, graph, inks);
}

// An empty canvas of the processor's: without a GPU it is painted at once, and some times as fast.
function sheet(graph, target = document.createElement("canvas")) {
  const ratio = devicePixelRatio || 1, width = Math.round(graph.width * ratio), height = Math.round(graph.height * ratio);
  const context = target.getContext("2d", { willReadFrequently: true });
  if (target.width !== width || target.height !== height) Object.assign(target, { width, height });
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { canvas: target, pen: new CanvasPen(context, graph.upright) };
}

const [forNodes, ...forLinks] = [1, 2, 3].map(() => document.createElement("canvas"));  // new ones cost more than what is drawn

let base = null, current = null;

// Paint the bitmaps: links, nodes. `settled` is kept when all of the links are there.
function paint(graph, look) {
  const inks = colours(), away = isAway(graph, look.isolated), nodes = sheet(graph, forNodes), plain = { pins: new Set(), selected: "" };
  const shown = graph.links.filter((each) => !away(each.from) && !away(each.to));
  const rest = slices(shown, strokes(graph, look.width, inks));
  dots(nodes.pen, graph, inks, graph.nodes.values(), plain, (each) => (away(each) ? 0.2 : 1));
  base = { graph, look, nodes: nodes.canvas, links: null, settled: Promise.resolve() };
  paintSlice(base, rest.shift(), inks);
  if (rest.length) base.settled = later(base, rest, inks);
}

// Paint some links below those that are there.
function paintSlice(made, slice, inks) {
  const { graph, links } = made, { canvas: bitmap, pen } = sheet(graph, forLinks.find((each) => each !== links));
  if (!links) rules(pen, graph, inks);
  slice?.paint(pen);
  if (links) pen.context.drawImage(links, 0, 0, graph.width, graph.height);
  else matches(pen, graph, inks, null);
  made.links = bitmap;
}

// Paint the other slices, one in a frame, and show each, unless another base has taken its place.
async function later(made, rest, inks) {
  for (const each of rest) {
    await new Promise(requestAnimationFrame);
    if (base !== made) return;
    paintSlice(made, each, inks);
    if (current) compose(current.graph, current.look);
  }
}

function compose(graph, look) {
  const context = canvas.getContext("2d"), pen = new CanvasPen(context, graph.upright), inks = colours(), { lit } = look;
  current = { graph, look };
  context.clearRect(0, 0, graph.width, graph.height);
  for (const [layer, faded] of [["links", 0.13], ["nodes", 0.25]]) {
    context.globalAlpha = lit ? faded : 1;
    context.drawImage(base[layer], 0, 0, graph.width, graph.height);
  }
  context.globalAlpha = 1;
  const away = isAway(graph, look.isolated), nodes = [...graph.nodes.values()];
  if (lit) {
    const stroke = strokes(graph, look.width, inks);
    for (const each of graph.links) {
      if (!lit.links.has(each.key) || away(each.from) || away(each.to)) continue;
      const { width, opacity, colour } = stroke(each);
      pen.curve(each.from, each.to, colour, width + 0.3, Math.max(opacity, 0.7));
    }
    matches(pen, graph, inks, lit);
  }
  const stands = (each) => (!lit || lit.nodes.has(each.id)) && !away(each);
  const marked = nodes.filter((each) => (lit && stands(each)) || each.id === look.selected || isPinned(each, look.pins));
  dots(pen, graph, inks, marked, look, () => 1);
  labels(pen, graph, inks, stands);
  names(pen, graph, inks);
}

const isBase = (graph, look) => base && base.graph === graph && base.version === graph.version && base.theme === document.documentElement.dataset.theme
  && base.look.width === look.width && base.look.isolated === look.isolated;

// Draw the graph; resolves when all of it is there.
export function redraw(graph, look) {
  canvas.style.width = `${graph.width}px`;
  canvas.style.height = `${graph.height}px`;
  if (!isBase(graph, look)) {
    sheet(graph, canvas);
    paint(graph, look);
    Object.assign(base, { version: graph.version, theme: document.documentElement.dataset.theme });
  }
  compose(graph, look);
  return base.settled;
}

// Show the neighbours of a node alone; null takes them away.
export function hover(graph, node, look) {
  if (!node) return compose(graph, look);
  const links = new Set((graph.beside.get(node.id) ?? []).map((each) => each.key));
  compose(graph, { ...look, lit: { nodes: graph.neighbours(node.id).add(node.id), links } });
}

export function asSvg(graph, look) {
  const pen = new SvgPen(graph.width, graph.height, colours().paper, graph.upright);
  draw(pen, graph, look);
  return String(pen);
}

export function asPng(graph, look) {
  const made = sheet(graph), { context } = made.pen;
  context.fillStyle = colours().paper;
  context.fillRect(0, 0, graph.width, graph.height);
  draw(made.pen, graph, look);
  return new Promise((done) => made.canvas.toBlob(done, "image/png"));
}
