// The page: what is shown follows from the state, and every change of it comes through here.

import { get } from "./api.js";
import { showCypher } from "./cypher.js";
import { asPng, asSvg, hover, redraw } from "./drawing.js";
import { nameModule, showFeature, togglePin } from "./feature.js";
import { Graph } from "./graph.js";
import { readModules, showModules } from "./modules.js";
import { showPaths } from "./paths.js";
import { showPinned } from "./pinned.js";
import { listenToSearch } from "./search.js";
import { snapshot } from "./snapshot.js";
import { change, state, undo, watch } from "./state.js";
import { byId, count, percent, save, short } from "./words.js";

const canvas = byId("drawing"), stage = byId("stage"), tip = byId("tip");
const PANELS = { feature: showFeature, paths: showPaths, modules: showModules, pinned: showPinned, cypher: showCypher };

export const page = {
  graph: new Graph([]), run: null, view: null, modules: null, lit: null,

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
    const missing = [...new Set(ids)].filter((id) => !this.graph.features.has(id));
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
    this.draw();
  },

  look() {
    return { width: state.width, lit: this.lit ?? this.around(), pins: new Set(state.pins), selected: state.selected, isolated: state.module };
  },

  around() {
    if (!this.graph.features.has(state.selected)) return null;
    const interactions = [...this.graph.interactions].filter(([, each]) => each.source === state.selected || each.target === state.selected);
    return { features: this.graph.neighbours(state.selected).add(state.selected), interactions: new Set(interactions.map(([key]) => key)) };
  },

  draw() {
    this.graph.place(stage.clientWidth, stage.clientHeight - 4, state.order);
    redraw(this.graph, this.look());
    const shown = `showing ${count(this.graph.features.size)} of ${count(this.view.features_of)} features, ${count(this.graph.interactions.size)} of ${count(this.view.interactions_of)} interactions`;
    const more = this.view.cut ? `; ${percent(this.view.kept)} of the strength, the most that is drawn at once` : `; ${percent(this.view.kept)} of the strength`;
    byId("counts").textContent = shown + more;
    canvas.setAttribute("aria-label", `${shown}, in ${this.graph.columns.length} layers. Search lists features by name.`);
  },
};

async function readView() {
  const answer = await get("/view", { run: state.run, share: state.share / 100 });
  const graph = new Graph(page.layers);
  Object.assign(graph, { modules: page.graph.modules, colours: page.graph.colours });
  graph.take(answer.data);
  Object.assign(page, { graph, view: answer.data, lit: null, run: answer.run });
  await page.fetch([state.selected, ...state.pins].filter(Boolean));
  byId("kept").textContent = `${state.share} %`;
}

async function readRun() {
  const { data } = await get("/runs");
  const choice = byId("run");
  choice.replaceChildren(...data.runs.map((run) => Object.assign(document.createElement("option"), { value: run.id, textContent: `${run.name} · ${run.basis} · ${run.id}` })));
  const named = (run) => state.run && (run.id.startsWith(state.run) || run.name === state.run);
  if (!data.runs.some(named)) {
    const lost = state.run && new Error(`The run ${state.run} is not here (any longer). This is another.`);
    const its = lost ? { selected: "", pins: [] } : {};
    await change({ run: data.chosen, ...its }, { undoable: false });
    page.trouble(lost);
  }
  choice.value = data.runs.find(named)?.id ?? "";
  page.layers = (await get("/layers", { run: state.run })).data;
  page.graph = new Graph(page.layers);
  page.modules = null;
}

async function start() {
  await readRun();
  await readView();
  page.draw();
  await showTab();
  await readModules(page);
  page.draw();
  if (state.tab === "modules") showModules(page);
  nameModule(page);  // and nothing else of the panel, in which somebody may be typing
}

function showTab() {
  for (const tab of document.querySelectorAll("[role=tab]")) {
    tab.setAttribute("aria-selected", String(tab.dataset.tab === state.tab));
    byId(tab.dataset.tab).hidden = tab.dataset.tab !== state.tab;
  }
  return Promise.resolve(PANELS[state.tab]?.(page)).catch((error) => page.trouble(error));
}

function controls() {
  for (const name of ["order", "width"]) byId(name).value = state[name];
  byId("share").value = state.share;
  byId("kept").textContent = `${state.share} %`;
}

let started = false;
watch(async (changed) => {
  if (!started) return;
  page.trouble(null);
  controls();
  try {
    if (changed.includes("run")) return await start();
    if (changed.includes("share")) await readView();
    if (changed.includes("selected")) { page.lit = null; await page.fetch([state.selected].filter(Boolean)); }
    if (changed.includes("pins") && state.tab !== "pinned") page.lit = null;
    if (changed.includes("pins") && !state.pins.length) page.lit = null;
    page.draw();
    if (!(changed.includes("source") && changed.length <= 2)) await showTab();
  } catch (error) { page.trouble(error); }
});

function pointer(event) {
  const box = canvas.getBoundingClientRect();
  return page.graph.at(event.clientX - box.left, event.clientY - box.top);
}

let hovered = null;
canvas.addEventListener("pointermove", (event) => {
  const feature = pointer(event);
  if (feature === hovered) return;
  hovered = feature;
  hover(page.graph, feature, page.look());
  tip.hidden = !feature;
  if (!feature) return;
  tip.textContent = `${short(feature.id)}${feature.label ? `\n${feature.label}` : ""}\n${page.graph.neighbours(feature.id).size} neighbours shown`;
  tip.style.left = `${Math.min(feature.x + 12, stage.scrollLeft + stage.clientWidth - 160)}px`;
  tip.style.top = `${feature.y + 10}px`;
});
canvas.addEventListener("pointerleave", () => {
  if (!hovered) return;
  hovered = null;
  tip.hidden = true;
  hover(page.graph, null, page.look());
});
canvas.addEventListener("click", (event) => {
  const feature = pointer(event);
  hovered = null;
  if (feature && event.shiftKey) togglePin(feature.id);
  else change({ selected: feature?.id ?? "", tab: feature ? "feature" : state.tab });
});

function step(by) {
  const feature = page.graph.features.get(state.selected);
  if (!feature) return;
  const column = page.graph.columns[feature.layer_index].shown;
  change({ selected: column[(column.indexOf(feature) + by + column.length) % column.length].id, tab: "feature" });
}

function follow(end, other) {
  const found = [...page.graph.interactions.values()].filter((each) => each[other] === state.selected);
  const best = found.sort((a, b) => (b.share ?? 0) - (a.share ?? 0))[0];
  if (best) change({ selected: best[end], tab: "feature" });
}

const fullScreen = () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen());
const KEYS = {
  "/": () => byId("search").focus(), Escape: () => { page.lit = null; change({ selected: "", module: 0 }); },
  p: () => state.selected && togglePin(state.selected), z: undo, f: fullScreen, "?": () => byId("keys").showModal(),
  ArrowUp: () => step(-1), ArrowDown: () => step(1), ArrowLeft: () => follow("source", "target"), ArrowRight: () => follow("target", "source"),
};
addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});

function theme(name) {
  document.documentElement.dataset.theme = name;
  byId("theme").textContent = name === "dark" ? "Light" : "Dark";
}

// A page in a notebook's frame remembers nothing.
function remembered(name, value) {
  try {
    if (value !== undefined) localStorage.setItem(name, value);
    return localStorage.getItem(name);
  } catch { return null; }
}

theme(remembered("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
byId("theme").addEventListener("click", () => {
  const name = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  remembered("theme", name);
  theme(name);
  page.draw();
});
byId("help").addEventListener("click", KEYS["?"]);
byId("full").addEventListener("click", fullScreen);
byId("undo").addEventListener("click", undo);
byId("run").addEventListener("change", (event) => change({ run: event.target.value, selected: "", pins: [], source: "", target: "", module: 0 }));
byId("share").addEventListener("input", (event) => { byId("kept").textContent = `${event.target.value} %`; });
byId("share").addEventListener("change", (event) => change({ share: Number(event.target.value) }));
for (const name of ["order", "width"]) byId(name).addEventListener("change", (event) => change({ [name]: event.target.value }));
for (const tab of document.querySelectorAll("[role=tab]")) tab.addEventListener("click", () => change({ tab: tab.dataset.tab }, { undoable: false }));
byId("svg").addEventListener("click", () => save("lib-graph.svg", asSvg(page.graph, page.look()), "image/svg+xml"));
byId("png").addEventListener("click", async () => save("lib-graph.png", await asPng(page.graph, page.look()), "image/png"));
new ResizeObserver(() => { if (page.view) page.draw(); }).observe(stage);
listenToSearch(page);

for (const tab of ["paths", "cypher"]) document.querySelector(`[data-tab=${tab}]`).hidden = Boolean(snapshot);
controls();
try {
  await start();
} catch (error) { page.trouble(error); }
started = true;
document.documentElement.dataset.ready = "yes";
window.page = page; // for scripts of one's own
