// How interactions are drawn: width by the number that was chosen, thinner where there are many, and
// stronger ones less transparent. And many strokes of one pixel at once: without a GPU one of a
// hundred curves costs a fifth of a hundred strokes, and a wider one five times as much.

import { sign } from "./words.js";

const WIDEST = 5, MANY = 400;  // px that the strongest have beyond the weakest, of so many at most
const LEVELS = 10;  // of opacity, among strokes that are drawn together

// A part of the largest, 0 to 1, by what was chosen.
function weights(graph, kind) {
  if (kind === "share") return (each) => Math.min(each.share ?? 0, 1);
  const largest = new Map();
  const section = (each) => each.from.row * 65536 + each.from.layer_index;
  for (const each of graph.links) largest.set(section(each), Math.max(largest.get(section(each)) ?? 0, each.strength));
  return (each) => {
    const part = each.strength / (largest.get(section(each)) || 1);
    return kind === "log" ? Math.max(0, 1 + Math.log10(part || 1e-9) / 4) : part;
  };
}

// What a link is drawn with: its width, opacity, colour.
export function strokes(graph, kind, inks) {
  const weight = weights(graph, kind), spread = WIDEST * Math.sqrt(Math.min(1, MANY / Math.max(graph.links.length, 1)));
  return (each) => {
    const size = weight(each);
    return { width: 0.5 + spread * size, opacity: 0.35 + 0.6 * size, colour: inks[sign(each.effect)] };
  };
}

// Curves of one pixel, gathered by style; a weaker one is paler instead of thinner.
export class Fine {
  constructor() { this.styles = new Map(); }

  add({ from, to }, { width, opacity, colour }) {
    const level = Math.max(1, Math.round(LEVELS * opacity * Math.min(width, 1))), style = `${colour}|${level}`;
    if (!this.styles.has(style)) this.styles.set(style, { colour, level, curves: [] });
    this.styles.get(style).curves.push([from, to]);
  }

  paint(pen) {
    const styles = [...this.styles.values()].sort((a, b) => a.level - b.level);  // the strong ones above
    for (const { colour, level, curves } of styles) pen.curves(curves, colour, 1 / (devicePixelRatio || 1), level / LEVELS);
  }
}
