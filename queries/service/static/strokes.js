// How interactions are drawn: width by the number that was chosen, thinner where there are many, and
// stronger ones less transparent. Many are drawn a slice at a time, and those of one pixel together:
// without a GPU one of a hundred curves costs a fifth of a stroke, and a wider one five times as much.

import { sign } from "./words.js";

const WIDEST = 5, MANY = 400;  // px that the strongest have beyond the weakest, of so many at most
const LEVELS = 10;  // of opacity, among strokes that are drawn together
const WIDE = 1.3, COST = 5;  // px from which a stroke is drawn as wide as it is, and what it costs
const SLICE = 1000;  // strokes of a pixel, painted in about 10 ms

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

// The strokes of links in slices that cost about as much as each other, the strongest links first.
export function slices(links, stroke) {
  const styled = links.map((each) => ({ ...each, ...stroke(each) })).sort((a, b) => b.opacity - a.opacity);
  const found = [];
  let slice = null, cost = SLICE;
  for (const each of styled) {
    if (cost >= SLICE) { found.push(slice = new Slice()); cost = 0; }
    cost += slice.add(each);
  }
  return found;
}

class Slice {
  constructor() { this.wide = []; this.fine = new Map(); }

  // A wide stroke, or one of a pixel among those of its style: there a weaker one is paler, not thinner.
  add(link) {
    const { from, to, width, opacity, colour } = link;
    if (width >= WIDE) { this.wide.push(link); return COST; }
    const level = Math.max(1, Math.round(LEVELS * opacity * Math.min(width, 1))), style = `${colour}|${level}`;
    if (!this.fine.has(style)) this.fine.set(style, { colour, level, curves: [] });
    this.fine.get(style).curves.push([from, to]);
    return 1;
  }

  paint(pen) {
    const styles = [...this.fine.values()].sort((a, b) => a.level - b.level);  // the strong ones above
    for (const { colour, level, curves } of styles) pen.curves(curves, colour, 1 / (devicePixelRatio || 1), level / LEVELS);
    for (const { from, to, colour, width, opacity } of this.wide.toReversed()) pen.curve(from, to, colour, width, opacity);
  }
}
