// What stands above the curves: features, their labels, the names of layers, tokens, and the lines
// between features that are alike.

import { FINE } from "./pens.js";

const SHAPES = { error: "diamond", embedding: "square", logit: "square", bias: "square" };
const LABELLED = 13, BESIDE = 90;  // px between features, and between columns, that a label needs
const ANSWER = 34;  // px between answers that have their names above

export const isAway = (graph, isolated) => (node) => Boolean(isolated) && node.row === 0 && (node.members ? node.module : graph.module(node.id)) !== isolated;

export const isPinned = (node, pins) => (node.members ? node.members.some((each) => pins.has(each.id)) : pins.has(node.id));

export const countOf = (column) => column.shown.reduce((sum, each) => sum + (each.members?.length ?? 1), 0);

const cut = (words, most) => (words.length > most ? `${words.slice(0, most - 1)}…` : words);

// What is hidden of a layer's strength: in words, or where there is no room as what is taken off.
const away = (part, word) => `${word ? "" : "−"}${part < 0.01 ? "<\u00a01" : Math.round(100 * part)}\u00a0%${word}`;

// A token as it can be seen: what is between words is told by a mark.
export const visible = (token) => token.replace(/\n/g, "⏎").replace(/\t/g, "⇥").trim() || "␣";

export function names(pen, graph, inks) {
  for (const column of graph.columns) {
    const { name, count, layer, hidden } = column;
    pen.text(name.x, name.y, graph.upright ? cut(layer.name, 7) : layer.name, inks.ink, 12, name.anchor);
    if (count) pen.text(name.x, count.y, `${countOf(column)}${count.joint}${layer.features}`, inks.soft, count.size, name.anchor);
    if (count && hidden >= 0.0005) pen.text(name.x, count.y + count.size + 3, away(hidden, count.word), inks.soft, count.size, name.anchor);
  }
  const narrow = graph.tokens.some(({ words, wide }) => 7 * visible(words).length > wide);
  graph.tokens.forEach(({ x, wide, words }, at) => {
    const most = Math.max(2, Math.floor((narrow ? 2 * wide : wide) / 7));
    pen.text(x, graph.height - 24 + (narrow && at % 2 ? 14 : 0), cut(visible(words), most), inks.ink, 12, "center");
  });
}

// Faint lines between the positions of a prompt.
export function rules(pen, graph, inks) {
  for (const { left } of graph.tokens) pen.line({ x: left, y: 8 }, { x: left, y: graph.height - 38 }, inks.line, 1, 0.7, false);
}

export function dots(pen, graph, inks, nodes, { pins, selected }, opacity) {
  for (const each of nodes) {
    const pinned = isPinned(each, pins), chosen = each.id === selected;
    const edge = pinned || chosen ? inks.ink : graph.module(each.id) || each.members ? inks.paper : inks.soft;
    const plain = each.r > FINE ? inks.paper : inks.soft;  // of what is in no module; tiny ones have no edge
    const fill = graph.module(each.id) || each.members ? each.colour : plain;
    const shape = each.members ? "block" : SHAPES[each.role] ?? "dot";
    pen.mark(shape, each, each.r + (chosen ? 2 : 0), fill, edge, chosen ? 3 : pinned ? 2 : 1, opacity(each));
    if (each.members && each.r >= 6) pen.text(each.x, each.y + 4, String(each.members.length), "#fff", 11, "center", "#222");
  }
}

// Labels stand beside their features where there is room for them, those of answers above.
export function labels(pen, graph, inks, isShown) {
  for (const { step, gap, last, shown } of graph.columns) {
    if (!graph.upright && (step < LABELLED || gap < BESIDE)) continue;
    for (const each of shown) {
      if (!each.label || each.members || !isShown(each)) continue;
      if (!graph.upright) pen.text(last ? each.x - each.r - 5 : each.x + each.r + 5, each.y - 4, cut(each.label, 16), inks.ink, 11, last ? "right" : "left", inks.paper);
      else if (each.role === "logit" && gap >= ANSWER) pen.text(each.x, each.y - each.r - 4, cut(visible(each.token ?? each.label), Math.floor(gap / 6.5)), inks.ink, 11, "center", inks.paper);
    }
  }
}

// Lines between the features of two runs that are alike: all of them, or those of what is lit.
export function matches(pen, graph, inks, lit) {
  for (const each of graph.matches) {
    const a = graph.home.get(each.source), b = graph.home.get(each.target);
    if (!a || !b) continue;
    const part = lit && (lit.nodes.has(a.id) || lit.nodes.has(b.id));
    if (!lit || part) pen.line(a, b, inks.match, part ? 1.5 : 1, (part ? 0.9 : 0.35) * Math.abs(each.correlation));
  }
}
