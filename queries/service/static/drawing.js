// The picture. What is not lit is a base of bitmaps that are painted when the graph, the order or the
// colours change; lighting, hovering and pinning draw few strokes above them, however many there are.
// The base is painted with strokes of one pixel at once, and the wide ones follow in the next frames.

import { dots, isAway, isPinned, labels, matches, names, rules } from "./marks.js";
import { CanvasPen, SvgPen } from "./pens.js";
import { Fine, strokes } from "./strokes.js";
import { byId } from "./words.js";

const canvas = byId("drawing");
const WIDE = 1.3;  // pixels from which a stroke is drawn as wide as it is
const AT_ONCE = 250, SLICE = 24;  // wide strokes that are painted with the rest; ms of a frame for more

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

// A canvas of the processor's: without a GPU it is painted at once, and some times as fast.
function sheet(graph, target = document.createElement("canvas")) {
  const ratio = devicePixelRatio || 1;
  target.width = Math.round(graph.width * ratio);
  target.height = Math.round(graph.height * ratio);
  const context = target.getContext("2d", { willReadFrequently: true });
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { canvas: target, pen: new CanvasPen(context, graph.upright) };
}

let base = null, current = null;

// Paint the bitmaps: links, nodes. `settled` is kept when the wide links are as wide as they are.
function paint(graph, look) {
  const inks = colours(), stroke = strokes(graph, look.width, inks), away = isAway(graph, look.isolated);
  const links = sheet(graph), nodes = sheet(graph), fine = new Fine(), wide = [];
  for (const each of graph.links) {
    if (away(each.from) || away(each.to)) continue;
    const style = stroke(each);
    if (style.width < WIDE) fine.add(each, style); else wide.push([each, style]);
  }
  rules(links.pen, graph, inks);
  fine.paint(links.pen);
  matches(links.pen, graph, inks, null);
  const plain = { pins: new Set(), selected: "" };
  dots(nodes.pen, graph, inks, graph.nodes.values(), plain, (each) => (away(each) ? 0.2 : 1));
  base = { graph, look, links: links.canvas, nodes: nodes.canvas, settled: Promise.resolve() };
  if (wide.length <= AT_ONCE) for (const each of wide) widen(links.pen, each);
  else later(base, wide);
}

const widen = (pen, [{ from, to }, { width, opacity, colour }]) => pen.curve(from, to, colour, width, opacity);

// Many wide links are as fine as the others at first, and as wide as they are some frames later.
function later(made, wide) {
  const copy = () => {
    const { canvas: bitmap, pen } = sheet(made.graph);
    pen.context.drawImage(made.links, 0, 0, made.graph.width, made.graph.height);
    return { bitmap, pen };
  };
  const done = copy(), draft = copy(), fine = new Fine();
  for (const [each, style] of wide) fine.add(each, style);
  fine.paint(draft.pen);
  made.links = draft.bitmap;
  let next = 0;
  made.settled = new Promise((settle) => {
    const frame = () => {
      if (base !== made) return settle();
      for (const end = performance.now() + SLICE; next < wide.length && performance.now() < end; next++) widen(done.pen, wide[next]);
      if (next < wide.length) return requestAnimationFrame(frame);
      made.links = done.bitmap;
      if (current) compose(current.graph, current.look);
      settle();
    };
    requestAnimationFrame(frame);
  });
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

// Draw the graph; resolves when the wide strokes are there too.
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
