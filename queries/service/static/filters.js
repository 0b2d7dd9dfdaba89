// Filters: which features are shown, by layer, role, number of interactions and label.

import { change, state } from "./state.js";
import { byId, element } from "./words.js";

const place = byId("filters");

export function showFilters(page) {
  const roles = [...new Set([...page.graph.features.values()].map((each) => each.role))].sort();
  const layer = select("layer", "All layers", page.layers[0].map((each) => each.name));
  const role = select("role", "All roles", roles.length > 1 ? roles.flatMap((each) => [each, `-${each}`]) : roles);
  const degree = element("input", { type: "number", id: "degree", min: 0, max: 999, value: state.degree, onchange: () => change({ degree: Math.max(0, Math.floor(Number(degree.value)) || 0) }) });
  const labelled = element("input", { type: "checkbox", id: "labelled", checked: Boolean(state.labelled), onchange: () => change({ labelled: labelled.checked ? 1 : 0 }) });
  const top = element("input", { type: "number", id: "top", min: 0, max: 999, value: state.top || "", placeholder: "all", onchange: () => change({ top: Math.max(0, Math.floor(Number(top.value)) || 0) }) });
  const none = element("button", { type: "button", id: "unfilter", onclick: () => change({ layer: "", role: "", degree: 0, labelled: 0, top: 0 }).then(() => showFilters(page)) }, "Show all");
  place.replaceChildren(
    element("label", {}, "Layer ", layer), element("label", {}, "Role ", role),
    element("label", {}, "At least ", degree, " interactions"), element("label", {}, "The strongest ", top, " inputs of each"),
    element("label", {}, labelled, "with a label"), none);
}

function select(name, all, values) {
  const options = values.map((each) => element("option", { value: each }, each.replace(/^-/, "all but ")));
  const made = element("select", { id: name, onchange: () => change({ [name]: made.value }) }, element("option", { value: "" }, all), ...options);
  made.value = state[name];
  return made;
}
