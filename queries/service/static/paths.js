// The panel of paths: the strongest between two places, and the Cypher that gave them.

import { get, post } from "./api.js";
import { change, state } from "./state.js";
import { byId, cypherBlock, element, percent, short, signed } from "./words.js";

const panel = byId("paths");
const COUNT = 20;

export function showPaths(page) {
  const source = element("input", { type: "text", id: "source", value: state.source, placeholder: "first layer", "aria-label": "From" });
  const target = element("input", { type: "text", id: "target", value: state.target, placeholder: "last layer", "aria-label": "To" });
  const take = (input) => element("button", { type: "button", title: "Take the selected feature", onclick: () => { if (state.selected) input.value = short(state.selected); } }, "selected");
  const form = element("form", {},
    element("div", { class: "row" }, "From", source, take(source)),
    element("div", { class: "row" }, "To", target, take(target)),
    element("button", { id: "find" }, `Find the ${COUNT} strongest`));
  const found = element("div", { id: "ways" });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    await change({ source: source.value.trim(), target: target.value.trim() });
    await find(page, found);
  });
  panel.replaceChildren(form, found);
  if (state.source || state.target) find(page, found);
}

async function find(page, place) {
  place.textContent = "…";
  try {
    const answer = await get("/paths", { run: state.run, source: state.source, target: state.target, k: COUNT });
    const paths = await linked(answer.data.paths);
    await page.light(paths.flatMap((each) => each.path), paths.flatMap((each) => each.links));
    place.replaceChildren(
      element("p", { class: "soft" }, paths.length ? `${paths.length} paths; strength is the product of the shares, and all paths into one feature sum to 1. A minus: the step lowers what it leads to.` : "There is none."),
      ...groups(paths).map((group) => listed(group, page)), cypherBlock(answer.statements));
  } catch (error) { place.textContent = error.message; }
}

// The paths with their interactions, whose effects a circuit of them tells.
async function linked(paths) {
  const steps = paths.map(({ path }) => path.slice(1).map((target, i) => [path[i], target])), all = steps.flat();
  if (!all.length) return [];
  const { data } = await post("/circuit", { run: state.run }, { interactions: all });
  const known = new Map(data.interactions.map((each) => [`${each.source}>${each.target}`, each]));
  return paths.map((each, i) => ({ ...each, links: steps[i].map((ends) => known.get(ends.join(">"))) }));
}

// Paths that differ in their last feature alone are one group: what they share is said once.
function groups(paths) {
  const found = new Map();
  for (const each of paths) {
    const key = each.path.slice(0, -1).join(">");
    found.set(key, [...(found.get(key) ?? []), each]);
  }
  return [...found.values()];
}

function listed(group, page) {
  const shared = group[0].path.slice(0, -1).map((id, i) => short(id) + (group[0].labels[i] ? ` (${group[0].labels[i]})` : "")).join(" → ");
  const items = group.map((each) => {
    const last = each.path.length - 1;
    const show = element("button", { class: "link", onclick: () => page.light(each.path, each.links) }, `→ ${short(each.path[last])}`);
    return element("li", {}, show, ` ${percent(each.strength)} `, element("span", { class: "soft" }, `shares ${each.links.map((link) => signed(link.share, link.effect)).join(" · ")}`));
  });
  return element("div", {}, element("h3", {}, shared), element("ol", { class: "paths" }, ...items));
}
