// The panel of modules: their colours, which are those of all pictures of the run, and one alone.

import { get } from "./api.js";
import { change, state } from "./state.js";
import { byId, cypherBlock, element, percent, number } from "./words.js";

const panel = byId("modules");

export async function readModules(page) {
  const answer = await get("/communities", { run: state.run });
  page.graph.modules = new Map(answer.data.communities.flatMap((each) => each.members.map((id) => [id, each.index])));
  page.graph.colours = answer.data.colours;
  page.modules = answer;
}

export function showModules(page) {
  const answer = page.modules;
  if (!answer) { panel.textContent = "…"; return; }
  const rows = answer.data.communities.map((each) => row(each, page.graph.colours[each.index]));
  const head = element("tr", {}, ...["", "module", "features", "layers", "labels", ""].map((name) => element("th", {}, name)));
  panel.replaceChildren(
    element("p", { class: "soft" }, `${answer.data.communities.length} modules by ${answer.data.method}: modularity ${number(answer.data.modularity)}. Further colours would not be told apart: grey is all others.`),
    state.module ? element("button", { id: "all", onclick: () => change({ module: 0 }) }, "Show all modules") : "",
    element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)),
    cypherBlock(answer.statements));
}

function row(each, colour) {
  const swatch = element("span", { class: "swatch" });
  swatch.style.background = colour;
  const labels = each.labels.slice(0, 3).map((label, i) => `${label} ${percent(each.label_shares[i])}`).join(", ");
  const alone = state.module === each.index;
  const button = element("button", { "aria-pressed": String(alone), onclick: () => change({ module: alone ? 0 : each.index }) }, alone ? "all" : "alone");
  return element("tr", { "data-module": each.index },
    ...[swatch, String(each.index), String(each.size), String(each.span), labels, button].map((cell) => element("td", {}, cell)));
}
