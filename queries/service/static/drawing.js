// The picture. What is not lit is a base of bitmaps that are painted when the graph, the order or the
// colours change; lighting, hovering and pinning draw few strokes above them, however many there are.
//
// Without a GPU a stroke that is one pixel wide costs a fifth of a wider one. So the base is painted
// with strokes of one pixel at once, weak interactions paler instead of thinner, and the wide ones
// follow in the next frames, some at a time.

import { CanvasPen, SvgPen } from "./pens.js";
import { byId, sign, short } from "./words.js";

const canvas = byId("drawing");
const WIDE = 1.25;  // pixels from which a stroke is drawn as wide as it is
const AT_ONCE = 250, SLICE = 24;  // wide strokes that are painted with the rest; ms of a frame for more

function colours() {
  const style = getComputedStyle(document.documentElement);
  const named = (name) => style.getPropertyValue(`--${name}`).trim();
  return Object.fromEntries(["paper", "ink", "soft", "line", "up", "down", "unknown", "accent", "match"].map((name) => [name, named(name)]));
}

// Width by the number that was chosen, as a part of its largest: 0 to 1.
function weights(graph, kind) {
  const largest = new Map();
  const section = (each) => `${each.from.row}:${each.from.layer_index}`;
  for (const each of graph.links) largest.set(section(each), Math.max(largest.get(section(each)) ?? 0, each.strength));
  return (each) => {
    if (kind === "share") return Math.min(each.share ?? 0, 1);
    const part = each.strength / (largest.get(section(each)) || 1);
    return kind === "log" ? Math.max(0, 1 + Math.log10(part || 1e-9) / 4) : part;
  };
}

const wide = (size) => 0.5 + 5 * size;
const opaque = (size) => 0.35 + 0.6 * size;

const isAway = (graph, isolated) => (node) => Boolean(isolated) && node.row === 0 && (node.members ? node.module : graph.module(node.id)) !== isolated;

function names(pen, graph, inks) {
  const narrow = graph.rows[0].length > 8;
  for (const { x, top, index, last, layer, shown } of graph.columns) {
    const anchor = index === 0 ? "left" : last ? "right" : "center";
    const at = anchor === "left" ? 6 : anchor === "right" ? graph.width - 6 : x;
    pen.text(at, top + 14 + (narrow && index % 2 ? 14 : 0), layer.name, inks.ink, 12, anchor);
    const count = shown.reduce((sum, each) => sum + (each.members?.length ?? 1), 0);
    if (!narrow) pen.text(at, top + 29, `${count} of ${layer.features}`, inks.soft, 11, anchor);
  }
}

function dots(pen, graph, inks, nodes, { pins, selected }, opacity) {
  for (const each of nodes) {
    const held = (id) => pins.has(id), pinned = each.members ? each.members.some((x) => held(x.id)) : held(each.id);
    const chosen = each.id === selected, name = each.members ? `${each.name} of ${each.layer}: ${each.label}` : `${short(each.id)} ${each.label ?? ""}`;
    const edge = pinned || chosen ? inks.ink : graph.module(each.id) || each.members ? inks.paper : inks.soft;
    const shape = each.members ? "block" : "dot";
    pen[shape](each, each.r + (chosen ? 2 : 0), each.colour, edge, chosen ? 3 : pinned ? 2 : 1, opacity(each), name);
    if (each.members && each.r >= 6) pen.text(each.x, each.y + 4, String(each.members.length), "#fff", 11, "center", "#222");
  }
}

// Labels stand beside their features where there is room for them.
function labels(pen, graph, inks, isShown) {
  const gap = graph.columns.length > 1 ? Math.abs(graph.columns[1].x - graph.columns[0].x) : graph.width;
  for (const { x, step, last, shown } of graph.columns) {
    if (step < 13 || gap < 90) continue;
    for (const each of shown) {
      if (!each.label || each.members || !isShown(each)) continue;
      const words = each.label.length > 16 ? `${each.label.slice(0, 15)}…` : each.label;
      pen.text(last ? x - each.r - 5 : x + each.r + 5, each.y - 4, words, inks.ink, 11, last ? "right" : "left", inks.paper);
    }
  }
}

// Lines between the features of two runs that are alike: all of them, or those of what is lit.
function matches(pen, graph, inks, lit) {
  for (const each of graph.matches) {
    const a = graph.home.get(each.source), b = graph.home.get(each.target);
    if (!a || !b) continue;
    const part = lit && (lit.nodes.has(a.id) || lit.nodes.has(b.id));
    if (!lit || part) pen.line(a, b, inks.match, part ? 1.5 : 1, (part ? 0.9 : 0.35) * Math.abs(each.correlation));
  }
}

// Draw all of it exactly, as it is exported. `lit` is null, or what stands out: nodes and links.
function draw(pen, graph, look) {
  const inks = colours(), weight = weights(graph, look.width), away = isAway(graph, look.isolated), { lit } = look;
  for (const part of lit ? [false, true] : [true]) {
    for (const each of graph.links) {
      if ((lit && lit.links.has(each.key) !== part) || away(each.from) || away(each.to)) continue;
      pen.curve(each.from, each.to, inks[sign(each.effect)], wide(weight(each)), part ? opaque(weight(each)) : 0.045);
    }
  }
  matches(pen, graph, inks, lit);
  const stands = (each) => (!lit || lit.nodes.has(each.id)) && !away(each);
  dots(pen, graph, inks, graph.nodes.values(), look, (each) => (stands(each) ? 1 : 0.2));
  labels(pen, graph, inks, stands);
  names(pen, graph, inks);
}

function sheet(graph, target = document.createElement("canvas")) {
  const ratio = devicePixelRatio || 1;
  target.width = Math.round(graph.width * ratio);
  target.height = Math.round(graph.height * ratio);
  const context = target.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { canvas: target, pen: new CanvasPen(context) };
}

let base = null, current = null;

// Paint the bitmaps: thin links, wide links, nodes. `settled` is kept when the wide ones are there.
function paint(graph, look) {
  const inks = colours(), weight = weights(graph, look.width), away = isAway(graph, look.isolated);
  const thin = sheet(graph), draft = sheet(graph), nodes = sheet(graph), thick = [];
  for (const each of graph.links) {
    if (away(each.from) || away(each.to)) continue;
    const size = weight(each), width = wide(size), colour = inks[sign(each.effect)];
    if (width >= WIDE) thick.push({ ...each, width, colour, opacity: opaque(size) });
    const pen = width < WIDE ? thin.pen : draft.pen;
    if (width < WIDE || graph.links.length > AT_ONCE) pen.curve(each.from, each.to, colour, 1, opaque(size) * Math.min(width, 1));
  }
  matches(thin.pen, graph, inks, null);
  const plain = { pins: new Set(), selected: "" };
  dots(nodes.pen, graph, inks, graph.nodes.values(), plain, (each) => (away(each) ? 0.2 : 1));
  base = { graph, look, thin: thin.canvas, wide: draft.canvas, nodes: nodes.canvas };
  widen(base, thick, graph);
}

// Paint the wide links, at once if they are few.
function widen(made, thick, graph) {
  const { canvas: done, pen } = sheet(graph);
  const next = (limit, end = performance.now() + limit) => {
    while (thick.length && (limit === null || performance.now() < end)) {
      const each = thick.pop();
      pen.curve(each.from, each.to, each.colour, each.width, each.opacity);
    }
  };
  const finish = () => { made.wide = done; };
  if (thick.length <= AT_ONCE) { next(null); finish(); made.settled = Promise.resolve(); return; }
  thick.reverse();
  made.settled = new Promise((settle) => {
    const frame = () => {
      if (base !== made) return settle();
      next(SLICE);
      if (thick.length) return requestAnimationFrame(frame);
      finish();
      if (current) compose(current.graph, current.look);
      settle();
    };
    requestAnimationFrame(frame);
  });
}

function compose(graph, look) {
  const context = canvas.getContext("2d"), pen = new CanvasPen(context), inks = colours(), { lit } = look;
  current = { graph, look };
  context.clearRect(0, 0, graph.width, graph.height);
  for (const [layer, faded] of [["thin", 0.13], ["wide", 0.13], ["nodes", 0.25]]) {
    context.globalAlpha = lit ? faded : 1;
    context.drawImage(base[layer], 0, 0, graph.width, graph.height);
  }
  context.globalAlpha = 1;
  const away = isAway(graph, look.isolated), nodes = [...graph.nodes.values()];
  if (lit) {
    const weight = weights(graph, look.width);
    for (const each of graph.links)
      if (lit.links.has(each.key) && !away(each.from) && !away(each.to)) pen.curve(each.from, each.to, inks[sign(each.effect)], wide(weight(each)) + 0.3, Math.max(opaque(weight(each)), 0.7));
    matches(pen, graph, inks, lit);
  }
  const stands = (each) => (!lit || lit.nodes.has(each.id)) && !away(each);
  const marked = nodes.filter((each) => (lit && stands(each)) || each.id === look.selected || look.pins.has(each.id) || each.members?.some((x) => look.pins.has(x.id)));
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
  const pen = new SvgPen(graph.width, graph.height, colours().paper);
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
