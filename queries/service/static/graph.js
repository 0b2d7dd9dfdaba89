// The features and interactions that are on the page, each once, and what is drawn of them: nodes
// are features, or blocks of those that are folded; links are the interactions between nodes.

import { place } from "./places.js";

export const PINNED = "pinned";  // what is folded, and the name of its blocks

export class Graph {
  constructor(layers) {
    this.rows = [...layers];  // of each run that is shown: its layers
    this.changes = 0;
    this.features = new Map();
    this.interactions = new Map();
    this.modules = new Map();
    this.colours = {};
    this.matches = [];  // features of the two runs that are alike
    this.strengths = [];  // of each run: what each of its layers sends out, of which links show a part
    this.prompt = null;  // of an attribution graph: tokens, and what it says of each node by id
    this.arrange(0, 0, { order: "index", folded: [], pins: [], filter: {} });
  }

  // Take over what the service sent as columns.
  take(view, row = 0) {
    const f = view.features, e = view.interactions;
    this.strengths[row] = view.strengths;
    for (let i = 0; i < f.id.length; i++)
      this.addFeature({ ...Object.fromEntries(Object.keys(f).map((name) => [name, f[name][i]])), row });
    for (let i = 0; i < e.source.length; i++)
      this.addInteraction({
        source: f.id[e.source[i]], target: f.id[e.target[i]], strength: e.strength[i],
        effect: e.effect[i], share: e.share[i],
      });
  }

  // Something has changed, so that it has to be arranged anew.
  touch() { this.changes++; }

  addFeature(row) {
    if (this.features.has(row.id)) return;
    this.features.set(row.id, { row: 0, ...row, ...this.prompt?.nodes.get(row.id), x: 0, y: 0, r: 3 });
    this.touch();
  }

  addInteraction(row) {
    if (!this.features.has(row.source) || !this.features.has(row.target)) return;
    this.interactions.set(`${row.source}>${row.target}`, row);
    this.touch();
  }

  module(id) { return this.modules.get(id) ?? 0; }

  colour(id) { return this.colours[this.module(id)] ?? "#9A9A9A"; }

  // The block that a feature is folded into, or null; of a prompt's nodes each position has its own.
  block(feature, folded) {
    const { row, layer_index: layer, position } = feature, module = this.module(feature.id);
    const at = position === undefined ? "" : `:at ${position}`;
    if (folded.has(`layer:${feature.layer}`)) return { id: `block:${row}:${layer}${at}`, name: "all", module: 0, position };
    if (folded.has(PINNED) && this.pins.has(feature.id)) return { id: `block:${row}:${layer}:${PINNED}${at}`, name: PINNED, module: 0, position };
    if (row === 0 && module && folded.has(`module:${module}`)) return { id: `block:0:${layer}:${module}${at}`, name: `module ${module}`, module, position };
    return null;
  }

  // Decide what is drawn, and where: nodes, links, columns. `version` tells what was decided.
  arrange(width, height, { order, folded, pins, filter }) {
    const grouped = folded.includes(PINNED) ? pins : [];
    const version = JSON.stringify([this.changes, width, height, order, folded, grouped, filter]);
    if (version === this.version) return;
    this.version = version;
    this.pins = new Set(grouped);
    const away = new Set(folded), degrees = filter.degree ? this.degrees() : null, kept = (each) => fits(each, filter, degrees);
    this.nodes = new Map();
    this.home = new Map();  // of each feature that is shown: its node
    for (const each of this.features.values()) {
      if (!kept(each)) continue;
      const block = away.size ? this.block(each, away) : null;
      if (!block) { each.colour = this.colour(each.id); this.nodes.set(each.id, each); this.home.set(each.id, each); continue; }
      const { row, layer, layer_index } = each;
      if (!this.nodes.has(block.id)) this.nodes.set(block.id, { ...block, row, layer, layer_index, index: -1, members: [], importance: 0, colour: block.module ? this.colours[block.module] : "#9A9A9A" });
      const node = this.nodes.get(block.id);
      node.members.push(each);
      node.importance += each.importance ?? 0;
      node.label = `${node.members.length} features`;
      this.home.set(each.id, node);
    }
    this.link(filter.top ? this.strongest(filter.top) : this.interactions);
    place(this, width, height, order);
  }

  degrees() {
    const found = new Map();
    for (const each of this.interactions.values())
      for (const end of [each.source, each.target]) found.set(end, (found.get(end) ?? 0) + 1);
    return found;
  }

  // The links between nodes: what several interactions between two blocks carry is summed up, its
  // share is of all that flows into the features of the block.
  link(interactions) {
    const sums = new Map();
    this.links = [];
    this.shown = 0;
    this.carried = new Map();  // of each row and layer: the strength of what is shown
    for (const [key, each] of interactions) {
      const from = this.home.get(each.source), to = this.home.get(each.target);
      if (!from || !to) continue;
      if (from.row === 0) this.shown++;
      const layer = `${from.row}/${from.layer_index}`;
      this.carried.set(layer, (this.carried.get(layer) ?? 0) + each.strength);
      if (from.members || to.members) this.sum(sums, from, to, each);
      else this.links.push({ key, from, to, strength: each.strength, effect: each.effect, share: each.share });
    }
    const totals = sums.size ? this.inflow() : null;
    for (const each of sums.values()) if (totals.get(each.to.id)) each.share = each.strength / totals.get(each.to.id);
    this.links.push(...sums.values());
    this.beside = new Map();
    for (const each of this.links)
      for (const end of [each.from.id, each.to.id]) {
        const known = this.beside.get(end);
        if (known) known.push(each); else this.beside.set(end, [each]);
      }
  }

  // Of the strength that a layer sends out, the share that is not shown; null of the last layer.
  hidden(row, layer) {
    const all = this.strengths[row]?.[layer];
    return all ? Math.max(0, 1 - (this.carried.get(`${row}/${layer}`) ?? 0) / all) : null;
  }

  // Of all interactions so many into each feature, the strongest.
  strongest(most) {
    const into = Map.groupBy(this.interactions, ([, each]) => each.target);
    return [...into.values()].flatMap((all) => all.sort((a, b) => b[1].strength - a[1].strength).slice(0, most));
  }

  sum(sums, from, to, { strength, effect }) {
    const key = `${from.id}>${to.id}`;
    if (!sums.has(key)) sums.set(key, { key, from, to, strength: 0, effect: null, share: null });
    const sum = sums.get(key);
    sum.strength += strength;
    if (effect !== null) sum.effect = (sum.effect ?? 0) + effect;
  }

  // All that flows into each node: a feature's is strength over share of any of its interactions
  // whose strength is known, which that of one on a path that the view leaves out is not.
  inflow() {
    const of = new Map(), found = new Map();
    for (const each of this.interactions.values()) if (each.share && each.strength) of.set(each.target, each.strength / each.share);
    for (const [feature, total] of of) {
      const node = this.home.get(feature);
      if (node) found.set(node.id, (found.get(node.id) ?? 0) + total);
    }
    return found;
  }

  neighbours(id) {
    return new Set((this.beside.get(id) ?? []).map((each) => (each.from.id === id ? each.to.id : each.from.id)));
  }

  // What stands out if these features and interactions do: nodes, and keys of links.
  among(features, interactions) {
    const nodes = new Set([...features].map((id) => this.home.get(id)?.id).filter(Boolean));
    const links = new Set();
    for (const pair of interactions) {
      const each = this.interactions.get(pair);
      const from = each && this.home.get(each.source), to = each && this.home.get(each.target);
      if (from && to) links.add(from.members || to.members ? `${from.id}>${to.id}` : pair);
    }
    return { nodes, links };
  }
}

function fits(feature, { layer, role, degree, labelled }, degrees) {
  const other = role.startsWith("-");  // "-error": all but errors
  return (!layer || feature.layer === layer) && (!role || (feature.role === (other ? role.slice(1) : role)) !== other)
    && (!degree || (degrees.get(feature.id) ?? 0) >= degree) && (!labelled || Boolean(feature.label));
}
