// The page: what is shown follows from the state, and every change of it comes through here.

import { get } from "./api.js";
import { showControls, showKept } from "./controls.js";
import { showCypher } from "./cypher.js";
import { redraw } from "./drawing.js";
import { nameModule, showFeature } from "./feature.js";
import { showFilters } from "./filters.js";
import { Graph } from "./graph.js";
import { readModules, showModules } from "./modules.js";
import { showPaths } from "./paths.js";
import { showPinned } from "./pinned.js";
import { listen } from "./pointer.js";
import { showRuns } from "./runs.js";
import { listenToSearch } from "./search.js";
import { snapshot } from "./snapshot.js";
import { change, state, watch } from "./state.js";
import { byId, count, percent, runOf, short } from "./words.js";

const canvas = byId("drawing"), stage = byId("stage");
const PANELS = { feature: showFeature, paths: showPaths, modules: showModules, pinned: showPinned, runs: showRuns, cypher: showCypher };

export const page = {
  graph: new Graph([]), run: null, runs: [], view: null, other: null, modules: null, lit: null,

  trouble(error) {
    byId("trouble").textContent = error?.message ?? "";
    byId("trouble").hidden = !error;
  },

  // What stands out beside the selected feature: nothing, or features and interactions.
  async light(ids, interactions) {
    await this.fetch(ids);
    for (const each of interactions) if (!this.graph.interactions.has(`${each.source}>${each.target}`)) this.graph.addInteraction({ strength: 0, effect: null, share: null, ...each });
    this.lit = ids.length ? { features: new Set(ids), interactions: new Set(interactions.map((each) => `${each.source}>${each.target}`)) } : null;
    this.draw();
  },

  async lightNamed(ids, interactions) {
    await this.light([...new Set(ids)].slice(0, 500), interactions);
    return new Set(ids.filter((id) => this.graph.features.has(id))).size;
  },

  add(features) { for (const each of features) this.graph.addFeature(each); },

  // Features that a view of the strongest interactions leaves out are asked for.
  async fetch(ids) {
    const missing = [...new Set(ids)].filter((id) => !this.graph.features.has(id) && runOf(id) === this.run.id);
    const layers = new Set(missing.map((id) => short(id).replace(/\/\d+$/, "")));
    const wanted = new Set(missing);
    for (const layer of layers) {
      const asked = { run: state.run, layer, limit: 5000 };
      for (let offset = 0, total = 1; offset < total; offset += asked.limit) {
        const { data } = await get("/features", { ...asked, offset }).catch(() => ({ data: { total: 0, features: [] } }));
        this.add(data.features.filter((each) => wanted.has(each.id)));
        total = data.total;
      }
    }
  },

  relabel(id, label) {
    const feature = this.graph.features.get(id);
    if (feature) feature.label = label;
    this.graph.touch();
    this.draw();
  },

  look() {
    const { lit } = this;
    return {
      width: state.width, lit: lit ? this.graph.among(lit.features, lit.interactions) : this.around(),
      pins: new Set(state.pins), selected: state.selected, isolated: state.module,
    };
  },

  around() {
    const node = this.graph.home.get(state.selected) ?? this.graph.nodes.get(state.selected);
    if (!node) return null;
    const links = new Set((this.graph.beside.get(node.id) ?? []).map((each) => each.key));
    return { nodes: this.graph.neighbours(node.id).add(node.id), links };
  },

  draw() {
    const { layer, role, degree, labelled, top } = state;
    const filter = { layer, role, degree, labelled: Boolean(labelled), top };
    this.graph.arrange(stage.clientWidth, stage.clientHeight - 4, { order: state.order, folded: state.folded, pins: state.pins, filter });
    const drawn = redraw(this.graph, this.look());
    this.sayCounts(Object.values(filter).some(Boolean));
    return drawn;
  },

  // Scroll to a feature that is drawn where it cannot be seen.
  goTo(id) {
    const node = this.graph.home.get(id) ?? this.graph.nodes.get(id);
    if (!node) return;
    const { scrollLeft, scrollTop, clientWidth, clientHeight } = stage;
    const inside = (at, from, size) => at > from + 20 && at < from + size - 20;
    if (!inside(node.x, scrollLeft, clientWidth)) stage.scrollLeft = node.x - clientWidth / 2;
    if (!inside(node.y, scrollTop, clientHeight)) stage.scrollTop = node.y - clientHeight / 2;
  },

  sayCounts(filtered) {
    const features = [...this.graph.home.keys()].filter((id) => this.graph.features.get(id).row === 0).length;
    byId("empty").hidden = this.graph.nodes.size > 0;
    byId("empty").textContent = filtered ? "No feature passes the filter." : "No interaction is kept. Move “Strength kept” to the right.";
    const shown = `showing ${count(features)} of ${count(this.view.features_of)} features, ${count(this.graph.shown)} of ${count(this.view.interactions_of)} interactions`;
    const parts = [`; ${percent(this.view.kept)} of the strength`];
    if (this.view.cut) parts.push(", the most that is drawn at once");
    if (filtered) parts.push(", of which those that pass the filter");
    if (this.graph.width > stage.clientWidth + 1) parts.push("; scroll the picture sideways for the rest");
    if (this.other) parts.push(`. Below it ${this.other.name}; dashed lines join features that are alike`);
    byId("counts").textContent = shown + parts.join("");
    canvas.setAttribute("aria-label", `${shown}, in ${this.graph.columns.length} layers. Search lists features by name.`);
  },
};

let readings = 0;

// The view of what is asked for now; an answer that comes after a later one was asked for is left out.
async function readView(early) {
  const reading = ++readings, asked = { share: state.share / 100 };
  const answer = await orAgain(early, "/view", asked);
  if (reading !== readings) return;
  page.run = answer.run;
  const { modules, colours, prompt } = page.graph, graph = Object.assign(new Graph(page.layers), { modules, colours, prompt });
  graph.take(answer.data);
  const other = state.other && (await readOther(graph, asked).catch((error) => page.trouble(error)));
  if (reading !== readings) return;
  Object.assign(page, { graph, view: answer.data, other: other || null, lit: null });
  const whole = (id) => (id && !id.startsWith("block:") && !page.runs.some((run) => run.id === runOf(id)) ? `${page.run.id}/${id}` : id);
  Object.assign(state, { selected: whole(state.selected), pins: state.pins.map(whole) });
  await page.fetch([state.selected, ...state.pins].filter(Boolean));
  showKept(state.share);
}

// Another run below this one, and which of their features are alike: the run.
async function readOther(graph, asked) {
  const [layers, view, matches] = await Promise.all([
    get("/layers", { run: state.other }), get("/view", { run: state.other, ...asked }),
    get("/matched", { run: state.run, other: state.other }),
  ]);
  graph.rows.push(layers.data);
  graph.take(view.data, 1);
  graph.matches = matches.data;
  return view.run;
}

const isNamed = (run) => state.run && (run.id.startsWith(state.run) || run.name === state.run);

// The runs that the store has now.
export async function listRuns() {
  const { data } = await get("/runs");
  page.runs = data.runs;
  const choice = byId("run");
  choice.replaceChildren(...data.runs.map((run) => Object.assign(document.createElement("option"), { value: run.id, textContent: `${run.name} · ${run.basis} · ${run.id}` })));
  choice.value = data.runs.find(isNamed)?.id ?? "";
  return data;
}

// What a first view needs is asked for at once, while it is not known yet which run is meant.
function askEarly() {
  const asked = [get("/layers", { run: state.run }), get("/view", { run: state.run, share: state.share / 100 })];
  for (const each of asked) each.catch(() => null);  // whoever waits for it is told
  return { layers: asked[0], view: asked[1] };
}

// An answer that was asked for early, if it is of the run that is shown; else the answer.
async function orAgain(early, path, asked) {
  const answer = await early?.catch(() => null);
  return answer && answer.run.id === page.runs.find(isNamed)?.id ? answer : get(path, { run: state.run, ...asked });
}

async function readRun(early) {
  const data = await listRuns();
  if (!data.runs.some(isNamed)) {
    const lost = state.run && new Error(`The run ${state.run} is not here (any longer). This is another.`);
    const its = lost ? { selected: "", pins: [], other: "" } : {};
    await change({ run: data.chosen, ...its }, { undoable: false });
    byId("run").value = data.chosen;
    page.trouble(lost);
  }
  page.layers = [(await orAgain(early.layers, "/layers")).data];
  page.graph = new Graph(page.layers);
  page.graph.prompt = page.runs.find(isNamed)?.prompt ? await readPrompt() : null;
  byId("shapes").hidden = !page.graph.prompt;
  page.modules = null;
}

// Of an attribution graph: its tokens, and by id what it says of each node.
async function readPrompt() {
  const { tokens, nodes } = (await get("/prompt", { run: state.run })).data, names = Object.keys(nodes);
  return { tokens, nodes: new Map(nodes.id.map((id, i) => [id, Object.fromEntries(names.map((name) => [name, nodes[name][i]]))])) };
}

async function start() {
  const early = askEarly();
  await readRun(early);
  await readView(early.view);
  showFilters(page);
  page.draw();
  page.goTo(state.selected);
  await showTab();
  await readModules(page);
  page.draw();
  if (state.tab === "modules") showModules(page);
  if (state.tab === "feature" && !state.selected) await showFeature(page);
  nameModule(page);  // and nothing else of the panel, in which somebody may be typing
}

function showTab() {
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const chosen = tab.dataset.tab === state.tab;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    byId(tab.dataset.tab).hidden = !chosen;
  }
  return Promise.resolve(PANELS[state.tab]?.(page)).catch(failed);
}

// Say what went wrong; where the run itself is gone, show another.
async function failed(error) {
  page.trouble(error);
  if (error.status !== 404) return;
  const { runs } = await listRuns();
  if (!runs.some(isNamed)) { started = false; try { await start(); } finally { started = true; } }
}

let started = false;
const PLACED = ["source", "target"];  // the panel of paths asks them itself
watch(async (changed) => {
  if (!started) return;
  page.trouble(null);
  showControls();
  try {
    if (changed.includes("run")) return await start();
    if (changed.includes("share") || changed.includes("other")) await readView();
    if (changed.includes("resolution")) await readModules(page);
    if (changed.includes("selected")) { page.lit = null; await page.fetch([state.selected].filter(Boolean)); }
    if (changed.includes("pins") && (state.tab !== "pinned" || !state.pins.length)) page.lit = null;
    page.draw();
    if (changed.includes("selected")) page.goTo(state.selected);
    if (!changed.every((name) => PLACED.includes(name))) await showTab();
  } catch (error) { await failed(error).catch((last) => page.trouble(last)); }
});

for (const tab of ["paths", "runs", "cypher"]) document.querySelector(`[data-tab=${tab}]`).hidden = Boolean(snapshot);
new ResizeObserver(() => { if (page.view) page.draw(); }).observe(stage);
listen(page);
listenToSearch(page);
showControls();
try {
  await start();
} catch (error) { page.trouble(error); }
started = true;
document.documentElement.dataset.ready = "yes";
window.page = page; // for scripts of one's own
