// The Cypher box: named queries to begin with, and whatever features an answer names light up.

import { get, post } from "./api.js";
import { state } from "./state.js";
import { byId, element } from "./words.js";

const panel = byId("cypher");
const FIRST = `MATCH (f:Feature {run: $run})-[r:INTERACTS]->(t:Feature)
RETURN f.id AS source, t.id AS target, r.share AS share
ORDER BY share DESC LIMIT 20`;

export async function showCypher(page) {
  if (panel.childElementCount) return;
  const names = element("select", { id: "named", "aria-label": "A named query" }, element("option", { value: "" }, "start from a named query …"));
  const text = element("textarea", { id: "text", "aria-label": "Cypher", spellcheck: "false" });
  const values = element("input", { type: "text", id: "values", "aria-label": "Parameters as JSON", value: "{}" });
  const found = element("div", { id: "rows" });
  const form = element("form", {}, element("div", { class: "row" }, names), text,
    element("div", { class: "row" }, "Parameters", values), element("button", { id: "ask" }, "Ask"), element("p", { class: "soft" }, "It may only read. $run is this run."));
  text.value = FIRST;
  panel.append(form, found);
  form.addEventListener("submit", (event) => { event.preventDefault(); ask(text.value, values.value, found, page); });
  const { data } = await get("/queries");
  for (const each of data) names.append(element("option", { value: each.name, title: each.question }, each.title));
  names.addEventListener("change", () => {
    const query = data.find((each) => each.name === names.value);
    if (!query) return;
    text.value = query.text;
    values.value = JSON.stringify(Object.fromEntries(query.parameters.map((each) => [each.name, fitting(each)])));
  });
}

// A parameter that names a feature begins with the selected one.
function fitting(parameter) {
  return parameter.kind === "feature" && state.selected ? state.selected : parameter.value;
}

async function ask(text, values, place, page) {
  place.textContent = "…";
  try {
    const { data } = await post("/cypher", { run: state.run }, { text, parameters: JSON.parse(values || "{}") });
    const ids = data.rows.flat(2).filter((each) => typeof each === "string" && each.startsWith(`${page.run.id}/`));
    const lit = await page.lightNamed(ids, pairs(data));
    const head = element("tr", {}, ...data.columns.map((name) => element("th", {}, name)));
    const rows = data.rows.slice(0, 200).map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, shown(cell, page)))));
    place.replaceChildren(
      element("p", { class: "soft" }, `${data.rows.length} rows${data.more ? ", and there are more" : ""}; ${lit} features light up.`),
      element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
  } catch (error) { place.textContent = error.message; }
}

function pairs({ columns, rows }) {
  const source = columns.indexOf("source"), target = columns.indexOf("target"), share = columns.indexOf("share");
  if (source < 0 || target < 0) return [];
  return rows.map((row) => ({ source: row[source], target: row[target], share: share < 0 ? null : row[share] }));
}

function shown(cell, page) {
  const text = typeof cell === "string" ? cell : JSON.stringify(cell);
  return text.startsWith(`${page.run.id}/`) ? text.slice(page.run.id.length + 1) : text;
}
