// The panel of one feature: what it is, its inputs and outputs, its examples, its label.

import { get, put } from "./api.js";
import { histogram } from "./histogram.js";
import { progress, start } from "./jobs.js";
import { showMap } from "./map.js";
import { toggleFold } from "./modules.js";
import { snapshot } from "./snapshot.js";
import { PINNED } from "./graph.js";
import { change, state } from "./state.js";
import { byId, cypherBlock, element, number, percent, runOf, short, sign } from "./words.js";

const panel = byId("feature");
const LENGTH = 25;

export async function showFeature(page) {
  if (!state.selected) {
    panel.replaceChildren(element("p", { class: "soft" }, "Hover over a feature to see its neighbours; click it to see what it is."), showMap(page));
    return;
  }
  if (state.selected.startsWith("block:")) return showBlock(page);
  const asked = state.selected, run = runOf(asked);
  const answer = await get("/feature", { run, feature: asked, limit: LENGTH });
  if (asked !== state.selected) return;
  const found = answer.data;
  panel.replaceChildren(
    heading(found), facts(found, page.graph.prompt?.nodes.get(found.id)), label(found, page),
    ends("Inputs", found.inputs, "source"), ends("Outputs", found.outputs, "target"),
    element("div", { id: "values" }), element("h3", {}, "Examples"), element("div", { id: "examples" }, "…"),
    element("div", { id: "alike" }), cypherBlock(answer.statements),
  );
  nameModule(page);
  await Promise.all([showExamples(asked, run), snapshot ? null : showAlike(asked, run)]);
}

// A block: what is folded into it.
function showBlock(page) {
  const node = page.graph.nodes.get(state.selected);
  if (!node) { panel.replaceChildren(element("p", { class: "soft" }, "This block is not folded any more.")); return; }
  const what = node.name === PINNED ? PINNED : node.module ? `module:${node.module}` : `layer:${node.layer}`;
  const members = node.members.map((each) => element("li", {}, element("button", { class: "link", onclick: () => change({ selected: each.id, folded: state.folded.filter((x) => x !== what) }) }, short(each.id), each.label ? ` · ${each.label}` : "")));
  panel.replaceChildren(
    element("div", { class: "row" }, element("h2", { class: "grow" }, `${node.name} of ${node.layer}`), element("button", { id: "unfold-block", onclick: () => toggleFold(what) }, "Unfold")),
    element("p", { class: "soft" }, `${node.members.length} features as one block: its strengths are sums, its shares are of all that flows into it.`),
    element("ul", { class: "members" }, ...members));
}

// Features of other runs that 'lib-graph match' found to be like this one.
async function showAlike(asked, run) {
  const place = byId("alike");
  try {
    const { data } = await get("/matches", { run, feature: asked, k: 5 });
    if (!place.isConnected || !data.length) return;
    const rows = data.map((each) => element("tr", {}, element("td", {}, nameOf(each)), element("td", { class: "n" }, `r = ${number(each.correlation)}`)));
    place.replaceChildren(element("h3", {}, "Like it in other runs"), element("table", {}, element("tbody", {}, ...rows)));
  } catch (error) { place.textContent = error.message; }
}

const nameOf = (match) => `${match.run_name}: ${short(match.counterpart)}${match.label ? ` · ${match.label}` : ""}`;

function heading(found) {
  const pinned = state.pins.includes(found.id);
  const pin = element("button", { id: "pin", "aria-pressed": String(pinned), onclick: () => togglePin(found.id) }, pinned ? "Unpin" : "Pin");
  return element("div", { class: "row" }, element("h2", { class: "grow" }, short(found.id), found.label ? ` · ${found.label}` : ""), pin);
}

export function togglePin(id) {
  const pins = state.pins.includes(id) ? state.pins.filter((each) => each !== id) : [...state.pins, id];
  return change({ pins });
}

function facts(found, node) {
  const parts = [found.role, `id ${found.id}`];
  if (found.importance !== null) parts.push(`importance ${number(found.importance)} (${percent(found.importance_share)} of its layer)`);
  if (found.variance !== null) parts.push(`variance ${number(found.variance)}`);
  if (node) parts.push(...ofNode(node));
  return element("p", { class: "soft" }, parts.join(" · "), element("span", { id: "module" }));
}

// What an attribution graph says of one of its nodes.
function ofNode({ node, kind, token, position, activation, influence, probability }) {
  const numbers = Object.entries({ activation, influence, probability }).filter(([, value]) => value !== null);
  return [`${kind}, node ${node}`, `token “${token}” at position ${position}`, ...numbers.map(([name, value]) => `${name} ${number(value)}`)];
}

// Modules may be known later than the rest.
export function nameModule(page) {
  const module = page.graph.module(state.selected), place = byId("module");
  if (place) place.textContent = module ? ` · module ${module}` : "";
}

function label(found, page) {
  const text = element("input", { type: "text", id: "label", value: found.label ?? "", maxlength: 1000, "aria-label": "Label", placeholder: "what it stands for" });
  const said = element("span", { class: "soft", role: "status" });
  const form = element("form", { class: "row" }, text, element("button", {}, "Label"), said);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const { data } = await put("/labels", { run: runOf(found.id) }, { feature: found.id, label: text.value });
      text.value = data.label;
      said.textContent = data.kept_in.length > 1 ? "Kept in store and folder." : "Kept in the store alone.";
      page.relabel(found.id, data.label);
    } catch (error) { said.textContent = error.message; }
  });
  return form;
}

function ends(title, rows, end) {
  if (!rows.length) return element("div", {}, element("h3", {}, title), element("p", { class: "soft" }, "None."));
  const head = element("tr", {}, element("th", {}, title), element("th", { class: "n" }, "share"), element("th", { class: "n" }, "effect"), element("th", {}, ""));
  const body = rows.map((row) => {
    const name = element("button", { onclick: () => change({ selected: row[end] }) }, short(row[end]), row[`${end}_label`] ? ` · ${row[`${end}_label`]}` : "");
    const bar = element("div", { class: `bar ${sign(row.effect)}` });
    bar.style.width = `${Math.max(2, 60 * (row.share ?? 0))}px`;
    return element("tr", {}, element("td", {}, name), element("td", { class: "n" }, percent(row.share)), element("td", { class: "n" }, number(row.effect)), element("td", {}, bar));
  });
  return element("table", { id: title.toLowerCase() }, element("thead", {}, head), element("tbody", {}, ...body));
}

async function showExamples(asked, run) {
  const place = byId("examples");
  try {
    const { data } = await get("/examples", { run, feature: asked });
    if (!place.isConnected) return;
    place.replaceChildren(...(data.examples ? data.examples.map(example) : [element("p", { class: "soft" }, data.advice), data.findable ? finding(asked, run, place) : ""]));
    if (data.examples || data.histogram) showValues(data);
    if (data.examples?.length === 0) place.append(element("p", { class: "soft" }, "It is 0 on all of the data."));
  } catch (error) { place.textContent = error.message; }
}

// How often it takes which values: nothing of a constant feature, and what counts them if nothing has.
function showValues({ histogram: found, advice }) {
  if (!found && !advice) return;
  byId("values").replaceChildren(element("h3", {}, "Values"), found ? histogram(found) : element("p", { class: "soft" }, advice));
}

// A button that finds the examples of all features: it takes the network.
function finding(asked, run, place) {
  const told = element("div");
  const find = element("button", { id: "find-examples", onclick: async () => {
    find.disabled = true;
    try {
      await start({ kind: "examples" }, (job) => {
        told.replaceChildren(progress(job, "Looking for examples"));
        find.disabled = job.state === "running";
        if (job.state === "done" && place.isConnected) showExamples(asked, run);
      });
    } catch (error) { told.textContent = error.message; find.disabled = false; }
  } }, "Find them");
  return element("div", {}, find, told);
}

function example(row) {
  const image = row.image ? element("img", { src: `data:image/png;base64,${row.image}`, alt: `sample ${row.sample}` }) : null;
  return element("div", { class: "example" }, element("b", {}, `${number(row.value)} `), image, row.text ?? `sample ${row.sample}`);
}
