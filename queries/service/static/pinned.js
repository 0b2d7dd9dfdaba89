// The panel of the pinned set: what is between its features, and circuits that are saved.

import { get, post, put, remove } from "./api.js";
import { togglePin } from "./feature.js";
import { PINNED } from "./graph.js";
import { cancel, follow, latest, progress, scores, start } from "./jobs.js";
import { toggleFold } from "./modules.js";
import { snapshot } from "./snapshot.js";
import { change, state } from "./state.js";
import { byId, count, cypherBlock, element, number, save, short } from "./words.js";

const panel = byId("pinned");

export async function showPinned(page) {
  const own = element("div"), saved = element("div", { id: "saved" });
  panel.replaceChildren(own, snapshot ? "" : saved);
  await Promise.all([showSet(own, page), showSaved(saved, page)]);
}

async function showSet(place, page) {
  if (!state.pins.length) {
    place.replaceChildren(element("p", { class: "soft" }, "Pin features (p, or shift-click) to put a circuit together."));
    return;
  }
  const list = state.pins.map((id) => element("tr", {},
    element("td", {}, element("button", { onclick: () => change({ selected: id, tab: "feature" }) }, short(id))),
    element("td", {}, page.graph.features.get(id)?.label ?? ""),
    element("td", {}, element("button", { "aria-label": `Unpin ${short(id)}`, onclick: () => togglePin(id) }, "×"))));
  const open = state.pins.length <= 12;  // a long list does not hide what can be done with it
  place.replaceChildren(
    element("details", { open }, element("summary", {}, `${count(state.pins.length)} pinned features`), element("table", {}, element("tbody", {}, ...list))),
    element("div", { class: "row" }, element("button", { onclick: () => change({ pins: [] }) }, "Let all go"), grouping()));
  try {
    const answer = await post("/circuit", { run: state.run }, { features: state.pins });
    const circuit = answer.data;
    if (!place.isConnected) return;  // the set has changed meanwhile
    page.light(circuit.features.map((each) => each.id), circuit.interactions);
    place.append(element("p", { id: "between" }, `${count(circuit.interactions.length)} interactions between them.`), actions(circuit, page), snapshot || page.graph.prompt ? "" : scoring(circuit), cypherBlock(answer.statements));
  } catch (error) { place.append(element("p", { class: "soft", id: "between" }, error.message)); }
}

// The pinned features as one block in each layer.
function grouping() {
  const grouped = state.folded.includes(PINNED);
  return element("button", { id: "group", "aria-pressed": String(grouped), onclick: () => toggleFold(PINNED) }, grouped ? "Ungroup" : "Group");
}

function actions(circuit, page) {
  const name = element("input", { type: "text", id: "name", placeholder: "name", "aria-label": "Name of the circuit", maxlength: 200 });
  const said = element("span", { class: "soft", role: "status" });
  const keep = element("form", { class: "row" }, name, element("button", { hidden: Boolean(snapshot) }, "Save"),
    element("button", { type: "button", id: "json", onclick: () => save("circuit.json", JSON.stringify(circuit, null, 1), "application/json") }, "JSON"), said);
  keep.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await post("/circuits", { run: state.run }, { name: name.value, features: state.pins });
      await showSaved(byId("saved"), page);
      said.textContent = `Saved as ${name.value}.`;
    } catch (error) { said.textContent = error.message; }
  });
  return keep;
}

// The score of the set: when asked for, or whenever the set changes. What is known of a set is kept.
const known = new Map();
let live = false, running = null;

function scoring(circuit) {
  const key = circuit.interactions.map((each) => `${each.source}>${each.target}`).join();
  const place = element("div", { id: "score" });
  const box = element("input", { type: "checkbox", id: "live" });
  box.checked = live;
  box.addEventListener("change", () => { live = box.checked; if (live) score(circuit, key, place); });
  const ask = element("button", { type: "button", id: "ask-score", onclick: () => score(circuit, key, place) }, "Score it");
  if (known.has(key)) place.replaceChildren(scores(known.get(key)));
  else if (live) score(circuit, key, place);
  else again(key, place);
  return element("div", {}, element("div", { class: "row" }, ask, element("label", {}, box, "as it changes")), place);
}

async function score(circuit, key, place) {
  try {
    if (running) {
      await cancel(running).catch(() => null);
      if (!place.isConnected) return;  // the set has changed again
    }
    await start({ kind: "score", features: circuit.features.map((each) => each.id) }, (job) => tell(job, key, place));
  } catch (error) { place.textContent = error.message; }
}

// A job that was started before the page was loaded anew is followed again.
async function again(key, place) {
  const job = await latest("score", state.run).catch(() => null);
  if (job?.state === "running") follow(job, (told) => tell(told, key, place));
}

function tell(job, key, place) {
  if (job.state === "running") running = job.id;
  else if (running === job.id) running = null;  // one that was cancelled ends after the next has begun
  if (job.state === "done") {
    known.set(job.result.interactions.map((each) => `${each.source}>${each.target}`).join(), job.result);
    if (known.has(key)) place.replaceChildren(scores(known.get(key)));
    return;
  }
  place.replaceChildren(progress(job, "Scoring"));
}

async function showSaved(place, page) {
  const answer = await get("/circuits", { run: state.run });
  const rows = answer.data.map((each) => element("tr", {},
    nameCell(each.name, page),
    element("td", { class: "n" }, String(each.features)), element("td", { class: "n" }, String(each.interactions)),
    element("td", {}, each.score === null ? "not tested" : `${number(each.score)} of ${number(each.baseline)}, random ${number(each.random_score)} (${each.metric})`),
    element("td", {}, element("button", { "aria-label": `Delete ${each.name}`, onclick: () => drop(each.name, page) }, "×"))));
  const head = element("tr", {}, ...["circuit", "features", "interactions", "score", ""].map((name) => element("th", {}, name)));
  place.replaceChildren(element("h3", {}, "Saved circuits"), rows.length
    ? element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)) : element("p", { class: "soft" }, "None yet."));
}

// A circuit's name: a click loads it; the pen beside it changes it.
function nameCell(name, page) {
  const cell = element("td", {}), pen = element("button", { class: "rename", "aria-label": `Rename ${name}`, title: "Rename", onclick: () => edit() }, "✎");
  const show = () => cell.replaceChildren(element("button", { onclick: () => load(name, page) }, name), " ", pen);
  const edit = () => {
    const text = element("input", { type: "text", value: name, maxlength: 200, "aria-label": `New name of ${name}` });
    const form = element("form", { class: "row" }, text, element("button", {}, "Rename"));
    form.addEventListener("submit", (event) => { event.preventDefault(); rename(name, text.value, page); });
    form.addEventListener("keydown", (event) => { if (event.key === "Escape") { event.stopPropagation(); show(); pen.focus(); } });
    cell.replaceChildren(form);
    text.select();
  };
  show();
  return cell;
}

async function rename(name, wanted, page) {
  try { await put("/circuits/saved", { run: state.run, name }, { name: wanted }); } catch (error) { page.trouble(error); return; }
  await showSaved(byId("saved"), page);
}

async function load(name, page) {
  try {
    const { data } = await get("/circuits/saved", { run: state.run, name });
    await page.add(data.features);
    await change({ pins: data.features.map((each) => each.id) });
  } catch (error) { page.trouble(error); }
}

async function drop(name, page) {
  if (!confirm(`Delete the circuit ${name}?`)) return;
  try { await remove("/circuits/saved", { run: state.run, name }); } catch (error) { page.trouble(error); }
  await showSaved(byId("saved"), page);
}
