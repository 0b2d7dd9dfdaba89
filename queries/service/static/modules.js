// The panel of modules: their colours, which are those of all pictures of the run; one alone, or
// folded into a block in each layer.

import { get } from "./api.js";
import { showMap } from "./map.js";
import { snapshot } from "./snapshot.js";
import { change, state } from "./state.js";
import { byId, cypherBlock, element, percent, number } from "./words.js";

const panel = byId("modules");
const RESOLUTIONS = [0.25, 0.5, 1, 2, 4];

export async function readModules(page) {
  const answer = await get("/communities", { run: state.run, resolution: state.resolution });
  page.graph.modules = new Map(answer.data.communities.flatMap((each) => each.members.map((id) => [id, each.index])));
  page.graph.colours = answer.data.colours;
  page.graph.touch();
  page.modules = answer;
}

export function toggleFold(what) {
  const folded = state.folded.includes(what) ? state.folded.filter((each) => each !== what) : [...state.folded, what];
  return change({ folded });
}

export function showModules(page) {
  const answer = page.modules;
  if (!answer) { panel.textContent = "…"; return; }
  const { communities, method, modularity } = answer.data;
  const rows = communities.map((each) => row(each, page.graph.colours[each.index]));
  const head = element("tr", {}, ...["", "no.", "size", "layers", "of Q", "labels", ""].map((name) => element("th", {}, name)));
  panel.replaceChildren(
    element("p", { class: "soft" }, `${communities.length} modules by ${method}: modularity Q ${number(modularity)}, of which each adds a part. Grey is all beyond the colours that can be told apart.`),
    element("div", { class: "row" }, resolution(), ...buttons(communities)),
    element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)), showMap(page),
    cypherBlock(answer.statements));
}

function resolution() {
  const choice = element("select", { id: "resolution", disabled: Boolean(snapshot), onchange: () => change({ resolution: Number(choice.value), module: 0, folded: [] }) },
    ...RESOLUTIONS.map((each) => element("option", { value: each }, each)));
  choice.value = state.resolution;
  return element("label", { title: "A larger resolution gives more and smaller modules." }, "Resolution ", choice);
}

function buttons(communities) {
  const large = communities.filter((each) => each.size > 1).map((each) => `module:${each.index}`);
  return [
    state.module ? element("button", { id: "all", onclick: () => change({ module: 0 }) }, "Show all") : null,
    element("button", { id: "fold-all", onclick: () => change({ folded: large }) }, "Fold all"),
    state.folded.length ? element("button", { id: "unfold", onclick: () => change({ folded: [] }) }, "Unfold all") : null,
  ].filter(Boolean);
}

function row(each, colour) {
  const swatch = element("span", { class: "swatch" });
  swatch.style.background = colour;
  const labels = each.labels.slice(0, 3).filter((_, i) => each.label_shares[i] >= 0.01).map((label, i) => `${label}\u00a0${percent(each.label_shares[i])}`).join(", ");
  const alone = state.module === each.index, folded = state.folded.includes(`module:${each.index}`);
  const isolate = element("button", { class: "alone", "aria-pressed": String(alone), "aria-label": `Module ${each.index} alone`, onclick: () => change({ module: alone ? 0 : each.index }) }, alone ? "all" : "alone");
  const fold = element("button", { class: "fold", "aria-pressed": String(folded), "aria-label": `Fold module ${each.index}`, onclick: () => toggleFold(`module:${each.index}`) }, folded ? "unfold" : "fold");
  return element("tr", { "data-module": each.index },
    ...[swatch, String(each.index), String(each.size), String(each.span), each.contribution === null ? "" : each.contribution.toFixed(3), labels].map((cell) => element("td", {}, cell)),
    element("td", { class: "choices" }, isolate, " ", fold));
}
