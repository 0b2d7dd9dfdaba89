// Where the nodes of a prompt's graph stand: a column per position, its token below; a row per layer,
// from the embeddings at the bottom up to the answers. Many nodes of one place stand in lines.

const LEFT = 54, RIGHT = 14, TOP = 26, BOTTOM = 42, ROW = 15;
const LEAST = 34, LINE = 7, FEW = 6;  // px of a column, of a line; nodes that stand in one line
const APART = { logit: [50, 80], other: [9, 24] };  // px between nodes: what is asked for, and at most

export function placeByPosition(graph, cells, width, height) {
  graph.height = Math.max(height, TOP + BOTTOM + ROW * cells.length);
  const high = (graph.height - TOP - BOTTOM) / cells.length;
  const rows = cells.map((cell, index) => ({
    apart: index === cells.length - 1 ? APART.logit : APART.other,
    lines: index === cells.length - 1 ? 1 : Math.max(1, Math.floor((high - 2) / LINE)),
    at: Map.groupBy(cell, (each) => each.position),
  }));
  graph.tokens = columns(graph, rows, width);
  graph.columns = rows.map((row, index) => {
    const y = graph.height - BOTTOM - (index + 0.5) * high;
    const gaps = [...row.at].map(([at, nodes]) => stand(nodes, graph.tokens[at], y, row));
    return {
      step: high, gap: Math.min(...gaps), last: true, shown: cells[index], layer: graph.rows[0][index],
      name: { x: 6, y: y + 4, anchor: "left" }, count: null, box: [0, y - high / 2, LEFT - 8, y + high / 2],
    };
  });
}

const perLine = (nodes, lines) => Math.ceil(nodes.length / Math.min(lines, Math.ceil(nodes.length / FEW)));

// The columns of the tokens, each as wide as its fullest place asks for; the graph is so wide.
function columns(graph, rows, width) {
  const positions = rows.flatMap((row) => [...row.at.keys()]), count = Math.max(graph.prompt.tokens.length, ...positions.map((at) => at + 1));
  const asked = (row, at) => (row.at.has(at) ? perLine(row.at.get(at), row.lines) * row.apart[0] + 8 : 0);
  const ideal = Array.from({ length: count }, (_, at) => Math.max(LEAST, ...rows.map((row) => asked(row, at))));
  const total = ideal.reduce((sum, each) => sum + each, 0), scale = Math.max((width - LEFT - RIGHT) / total, 0.6);
  graph.width = Math.max(width, LEFT + RIGHT + total * scale);
  let left = LEFT;
  return ideal.map((each, at) => {
    const wide = each * scale, token = { x: left + wide / 2, left, wide, words: graph.prompt.tokens[at] ?? "" };
    left += wide;
    return token;
  });
}

// Let the nodes of one place stand, in lines around its middle; returns what is between two.
function stand(nodes, { x, wide }, y, { apart, lines }) {
  const each = perLine(nodes, lines), count = Math.ceil(nodes.length / each), gap = Math.min((wide - 8) / each, apart[1]);
  nodes.forEach((node, place) => {
    const line = Math.floor(place / each), here = Math.min(each, nodes.length - line * each);
    node.x = x + ((place % each) - (here - 1) / 2) * gap;
    node.y = y + (line - (count - 1) / 2) * LINE;
    node.r = Math.min(gap * 0.46, count > 1 ? 3.2 : 5.5);
  });
  return gap;
}
