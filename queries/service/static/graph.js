// The features and interactions that are on the page, each once, and where they stand.

export class Graph {
  constructor(layers) {
    this.layers = layers;
    this.features = new Map();
    this.interactions = new Map();
    this.modules = new Map();
    this.colours = {};
  }

  // Take over what the service sent as columns.
  take(view) {
    const f = view.features, e = view.interactions;
    for (let i = 0; i < f.id.length; i++)
      this.addFeature(Object.fromEntries(Object.keys(f).map((name) => [name, f[name][i]])));
    for (let i = 0; i < e.source.length; i++)
      this.addInteraction({
        source: f.id[e.source[i]], target: f.id[e.target[i]], strength: e.strength[i],
        effect: e.effect[i], share: e.share[i],
      });
  }

  addFeature(row) { if (!this.features.has(row.id)) this.features.set(row.id, { ...row, x: 0, y: 0, r: 3 }); }

  addInteraction(row) {
    if (this.features.has(row.source) && this.features.has(row.target))
      this.interactions.set(`${row.source}>${row.target}`, row);
  }

  module(id) { return this.modules.get(id) ?? 0; }

  colour(id) { return this.colours[this.module(id)] ?? "#9A9A9A"; }

  neighbours(id) {
    const found = new Set();
    for (const each of this.interactions.values()) {
      if (each.source === id) found.add(each.target);
      if (each.target === id) found.add(each.source);
    }
    return found;
  }

  // Give each feature its place: a column per layer, from the top in the order that was asked for.
  place(width, height, order) {
    const columns = this.layers.map(() => []);
    for (const each of this.features.values()) columns[each.layer_index]?.push(each);
    const most = Math.max(1, ...columns.map((column) => column.length));
    const left = 34, right = 34, top = 46, bottom = 16;
    this.width = Math.max(width, left + right + 58 * (columns.length - 1));
    this.height = Math.max(height, top + bottom + 5.5 * most);
    this.columns = columns.map((column, index) => {
      column.sort((a, b) => this.compare(a, b, order));
      const x = left + (index * (this.width - left - right)) / Math.max(columns.length - 1, 1);
      const room = this.height - top - bottom;
      const step = Math.min(44, room / Math.max(column.length, 1));
      const first = top + (room - step * column.length) / 2;
      const largest = Math.max(...column.map((each) => each.importance ?? 0), 0);
      column.forEach((each, row) => {
        each.x = x;
        each.y = first + step * (row + 0.5);
        const part = largest > 0 && each.importance !== null ? each.importance / largest : 0.25;
        each.r = Math.min(step * 0.48, 2.5 + 5 * Math.sqrt(part));
      });
      return { x, step, layer: this.layers[index], shown: column };
    });
  }

  compare(a, b, order) {
    if (order === "module") {
      const by = (this.module(a.id) || 1e9) - (this.module(b.id) || 1e9);
      if (by) return by;
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

  // The feature nearest to a point, within so many pixels.
  at(x, y, reach = 14) {
    let best = null, least = reach * reach;
    for (const each of this.features.values()) {
      const distance = (each.x - x) ** 2 + (each.y - y) ** 2;
      if (distance < least) { least = distance; best = each; }
    }
    return best;
  }
}
