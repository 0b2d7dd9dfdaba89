// Where nodes stand: a column per layer, from the top in the order that was asked for; a column that
// has more than fit below each other has several lines. Of two runs one stands above the other. What
// is of a prompt stands by its positions (positions.js). And which node is at a point.

import { placeByPosition } from "./positions.js";

const LEFT = 34, RIGHT = 34, TOP = 60, BOTTOM = 16;
const LEAST = 5.5, LINE = 6.5, LINES = 6;  // px between nodes of a line, between lines; lines at most
const WIDE = 90, NARROW = 40;  // px between columns from which names stand in one row; at least
const CELL = 16;  // px; a node is looked for in the cells around a point

export function place(graph, width, height, order) {
  const cells = graph.rows.map((layers) => layers.map(() => []));
  for (const each of graph.nodes.values()) cells[each.row]?.[each.layer_index]?.push(each);
  for (const cell of cells.flat()) cell.sort((a, b) => compare(graph, a, b, order));
  graph.upright = Boolean(graph.prompt) && cells.length === 1;
  graph.tokens = [];
  if (graph.upright) placeByPosition(graph, cells[0], width, height);
  else placeByLayer(graph, cells, width, height);
  graph.cells = inCells(graph.nodes.values());
}

function placeByLayer(graph, cells, width, height) {
  const most = Math.max(1, ...cells.flat().map((cell) => cell.length)), count = Math.max(...cells.map((row) => row.length), 1);
  const one = Math.max(height / cells.length, TOP + BOTTOM + LEAST * Math.ceil(most / LINES));
  const room = one - TOP - BOTTOM, lines = (cell) => Math.max(1, Math.ceil((cell.length * LEAST) / room));
  const widest = Math.max(...cells.flat().map(lines));
  graph.width = Math.max(width, LEFT + RIGHT + Math.max(NARROW, LINE * widest + 16) * (count - 1));
  graph.height = one * cells.length;
  const gap = (graph.width - LEFT - RIGHT) / Math.max(count - 1, 1);
  graph.columns = cells.flatMap((row, number) => row.map((shown, index) => {
    const x = LEFT + index * gap, top = number * one, last = index === row.length - 1 && index > 0;
    const step = fill(shown, x, top + TOP, room, lines(shown));
    const narrow = gap < WIDE, at = index === 0 ? 6 : last ? graph.width - 6 : x;
    return {
      x, step, gap, last, shown, layer: graph.rows[number][index], hidden: graph.hidden(number, index),
      name: { x: at, y: top + 14 + (narrow && index % 2 ? 14 : 0), anchor: index === 0 ? "left" : last ? "right" : "center" },
      count: narrow ? { y: top + 43, joint: "/", size: 10, word: "" } : { y: top + 29, joint: " of ", size: 11, word: " hidden" },
      box: [x - Math.min(40, gap / 2), top, x + Math.min(40, gap / 2), top + (narrow ? 58 : 46)],
    };
  }));
}

// Fill a column, in lines side by side that are read like lines of text; returns what is between two.
function fill(shown, x, top, room, lines) {
  const rows = Math.ceil(shown.length / lines), step = Math.min(44, room / Math.max(rows, 1));
  const first = top + (room - step * rows) / 2;
  const largest = Math.max(...shown.map((each) => (each.members ? 0 : each.importance ?? 0)), 0);
  shown.forEach((each, place) => {
    each.x = x + ((place % lines) - (lines - 1) / 2) * LINE;
    each.y = first + step * (Math.floor(place / lines) + 0.5);
    const part = largest > 0 && each.importance !== null ? Math.min(each.importance / largest, 1) : 0.25;
    each.r = each.members ? Math.min(step * 0.48, 11) : Math.min(step * 0.48, lines > 1 ? 2.7 : 8, 2.5 + 5 * Math.sqrt(part));
  });
  return step;
}

function compare(graph, a, b, order) {
  if (order === "module") {
    const of = (each) => (each.members ? each.module : graph.module(each.id)) || 1e9;
    if (of(a) !== of(b)) return of(a) - of(b);
  }
  if (order === "label") {
    const by = (a.label ? 0 : 1) - (b.label ? 0 : 1) || (a.label ?? "").localeCompare(b.label ?? "", "en", { numeric: true });
    if (by) return by;
  }
  if (order !== "index") {
    const by = (b.importance ?? 0) - (a.importance ?? 0);
    if (by) return by;
  }
  return a.index - b.index;
}

const cellOf = (x, y) => Math.floor(x / CELL) * 65536 + Math.floor(y / CELL);

function inCells(nodes) {
  const found = new Map();
  for (const each of nodes) {
    const cell = cellOf(each.x, each.y);
    if (found.has(cell)) found.get(cell).push(each); else found.set(cell, [each]);
  }
  return found;
}

// The node nearest to a point, within so many pixels.
export function nodeAt(graph, x, y, reach = 14) {
  let best = null, least = reach * reach;
  for (const dx of [-CELL, 0, CELL]) for (const dy of [-CELL, 0, CELL])
    for (const each of graph.cells.get(cellOf(x + dx, y + dy)) ?? []) {
      const distance = (each.x - x) ** 2 + (each.y - y) ** 2;
      if (distance < least) { least = distance; best = each; }
    }
  return best;
}

// The column whose name is at a point, or null.
export function nameAt(graph, x, y) {
  return graph.columns.find(({ box }) => x >= box[0] && x < box[2] && y >= box[1] && y < box[3]) ?? null;
}
