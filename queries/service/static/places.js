// Where nodes stand: a column per layer, from the top in the order that was asked for; of two runs
// one above the other. And which node is at a point.

const LEFT = 34, RIGHT = 34, TOP = 46, BOTTOM = 16;

export function place(graph, width, height, order) {
  const cells = graph.rows.map((layers) => layers.map(() => []));
  for (const each of graph.nodes.values()) cells[each.row]?.[each.layer_index]?.push(each);
  const most = Math.max(1, ...cells.flat().map((cell) => cell.length)), count = Math.max(...graph.rows.map((layers) => layers.length), 1);
  graph.width = Math.max(width, LEFT + RIGHT + 58 * (count - 1));
  const one = Math.max(height / cells.length, TOP + BOTTOM + 5.5 * most);
  graph.height = one * cells.length;
  graph.columns = cells.flatMap((row, number) => row.map((cell, index) => {
    cell.sort((a, b) => compare(graph, a, b, order));
    const x = LEFT + (index * (graph.width - LEFT - RIGHT)) / Math.max(count - 1, 1);
    const room = one - TOP - BOTTOM, top = number * one;
    const step = Math.min(44, room / Math.max(cell.length, 1));
    const first = top + TOP + (room - step * cell.length) / 2;
    const largest = Math.max(...cell.map((each) => (each.members ? 0 : each.importance ?? 0)), 0);
    cell.forEach((each, place) => {
      each.x = x;
      each.y = first + step * (place + 0.5);
      const part = largest > 0 && each.importance !== null ? Math.min(each.importance / largest, 1) : 0.25;
      each.r = each.members ? Math.min(step * 0.48, 11) : Math.min(step * 0.48, 2.5 + 5 * Math.sqrt(part));
    });
    const last = index === row.length - 1 && index > 0;
    return { x, top, step, index, last, layer: graph.rows[number][index], shown: cell };
  }));
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

// The node nearest to a point, within so many pixels: of the columns that are near, by bisection.
export function nodeAt(graph, x, y, reach = 14) {
  let best = null, least = reach * reach;
  for (const column of graph.columns) {
    if (Math.abs(column.x - x) > reach) continue;
    const { shown } = column;
    let low = 0, high = shown.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (shown[middle].y < y) low = middle + 1; else high = middle;
    }
    for (const each of shown.slice(Math.max(low - 1, 0), low + 1)) {
      const distance = (each.x - x) ** 2 + (each.y - y) ** 2;
      if (distance < least) { least = distance; best = each; }
    }
  }
  return best;
}

// The column whose name is at a point, or null.
export function nameAt(graph, x, y) {
  return graph.columns.find((each) => y >= each.top && y < each.top + 32 && Math.abs(each.x - x) < 40) ?? null;
}
