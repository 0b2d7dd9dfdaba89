// The picture: what is not lit is a faded base that is kept as a bitmap, and what is lit lies above
// it, so that hovering draws few interactions however many there are.

import { CanvasPen, SvgPen } from "./pens.js";
import { byId, sign, short } from "./words.js";

const canvas = byId("drawing");

function colours() {
  const style = getComputedStyle(document.documentElement);
  const named = (name) => style.getPropertyValue(`--${name}`).trim();
  return Object.fromEntries(["paper", "ink", "soft", "line", "up", "down", "unknown", "accent"].map((name) => [name, named(name)]));
}

// Width by the number that was chosen, as a part of its largest: 0 to 1.
function weights(graph, kind) {
  const largest = new Map();
  for (const each of graph.interactions.values()) {
    const layer = graph.features.get(each.source).layer_index;
    largest.set(layer, Math.max(largest.get(layer) ?? 0, each.strength));
  }
  return (each) => {
    if (kind === "share") return Math.min(each.share ?? 0, 1);
    const part = each.strength / (largest.get(graph.features.get(each.source).layer_index) || 1);
    return kind === "log" ? Math.max(0, 1 + Math.log10(part || 1e-9) / 4) : part;
  };
}

function names(pen, graph, inks) {
  graph.columns.forEach(({ x, layer, shown }, index) => {
    const anchor = index === 0 ? "left" : index === graph.columns.length - 1 ? "right" : "center";
    const at = anchor === "left" ? 6 : anchor === "right" ? graph.width - 6 : x;
    const down = graph.columns.length > 8 && index % 2 ? 14 : 0;
    pen.text(at, 14 + down, layer.name, inks.ink, 12, anchor);
    if (graph.columns.length <= 8) pen.text(at, 29, `${shown.length} of ${layer.features}`, inks.soft, 11, anchor);
  });
}

// Draw with a pen. `lit` is null, or what stands out: sets of features and of interactions.
export function draw(pen, graph, { width, lit, pins, selected, isolated }) {
  const inks = colours(), weight = weights(graph, width);
  const away = (id) => isolated && graph.module(id) !== isolated;
  for (const part of lit ? [false, true] : [true]) {
    for (const [key, each] of graph.interactions) {
      if (lit && lit.interactions.has(key) !== part) continue;
      if (away(each.source) || (away(each.target) && graph.module(each.target))) continue;
      const size = weight(each), faded = part ? 0.35 + 0.6 * size : 0.045;
      pen.curve(graph.features.get(each.source), graph.features.get(each.target), inks[sign(each.effect)], 0.5 + 5 * size, faded);
    }
  }
  for (const each of graph.features.values()) {
    const shown = (!lit || lit.features.has(each.id)) && !away(each.id);
    const pinned = pins.has(each.id), chosen = each.id === selected;
    pen.dot(each, each.r + (chosen ? 2 : 0), graph.colour(each.id), pinned || chosen ? inks.ink : graph.module(each.id) ? inks.paper : inks.soft, chosen ? 3 : pinned ? 2 : 1, shown ? 1 : 0.2, `${short(each.id)} ${each.label ?? ""}`);
  }
  labels(pen, graph, inks, (id) => (!lit || lit.features.has(id)) && !away(id));
  names(pen, graph, inks);
}

// Labels stand beside their features where there is room for them.
function labels(pen, graph, inks, isShown) {
  const gap = graph.columns.length > 1 ? graph.columns[1].x - graph.columns[0].x : graph.width;
  graph.columns.forEach(({ x, step, shown }, index) => {
    if (step < 13 || gap < 90) return;
    const last = index === graph.columns.length - 1 && index > 0;
    for (const each of shown) {
      if (!each.label || !isShown(each.id)) continue;
      const words = each.label.length > 16 ? `${each.label.slice(0, 15)}…` : each.label;
      pen.text(last ? x - each.r - 5 : x + each.r + 5, each.y - 4, words, inks.ink, 11, last ? "right" : "left", inks.paper);
    }
  });
}

function fit(target, graph) {
  const ratio = devicePixelRatio || 1;
  target.width = Math.round(graph.width * ratio);
  target.height = Math.round(graph.height * ratio);
  const context = target.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

let base = null;

// Draw the base anew: after the features, their places or the colours changed.
export function redraw(graph, look) {
  canvas.style.width = `${graph.width}px`;
  canvas.style.height = `${graph.height}px`;
  const context = fit(canvas, graph);
  context.clearRect(0, 0, graph.width, graph.height);
  draw(new CanvasPen(context), graph, look);
  base = document.createElement("canvas");
  base.width = canvas.width;
  base.height = canvas.height;
  base.getContext("2d").drawImage(canvas, 0, 0);
}

// Show the neighbours of a feature above the base, which fades meanwhile; null takes them away.
export function hover(graph, feature, look) {
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, graph.width, graph.height);
  context.globalAlpha = feature ? 0.25 : 1;
  context.drawImage(base, 0, 0, graph.width, graph.height);
  context.globalAlpha = 1;
  if (!feature) return;
  const pen = new CanvasPen(context), inks = colours(), weight = weights(graph, look.width);
  for (const each of graph.interactions.values()) {
    if (each.source !== feature.id && each.target !== feature.id) continue;
    const size = weight(each);
    pen.curve(graph.features.get(each.source), graph.features.get(each.target), inks[sign(each.effect)], 0.8 + 5 * size, 0.9);
  }
  for (const id of [feature.id, ...graph.neighbours(feature.id)]) {
    const each = graph.features.get(id);
    pen.dot(each, each.r, graph.colour(id), inks.ink, id === feature.id ? 2.5 : 1, 1, "");
  }
  names(pen, graph, inks);
}

export function asSvg(graph, look) {
  const pen = new SvgPen(graph.width, graph.height, colours().paper);
  draw(pen, graph, look);
  return String(pen);
}

export function asPng(graph, look) {
  const sheet = document.createElement("canvas"), context = fit(sheet, graph);
  context.fillStyle = colours().paper;
  context.fillRect(0, 0, graph.width, graph.height);
  draw(new CanvasPen(context), graph, look);
  return new Promise((done) => sheet.toBlob(done, "image/png"));
}
