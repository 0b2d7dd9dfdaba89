// The map: all features of all layers in the colours of their modules, also those that the picture
// leaves out, which are paler. A click goes to a feature.

import { change, state } from "./state.js";
import { element, short } from "./words.js";

const WIDTH = 354, HIGH = 320, CELL = 6;  // px: of the map, at most; of a feature, at most
const GREY = "#9a9a9a";

// Of each layer the ids of its features, in the order of their indices.
function columns(page) {
  const found = new Map(page.layers[0].map((layer) => [layer.name, []]));
  const known = new Set([...page.graph.modules.keys(), ...page.graph.features.keys()]);
  for (const id of known) {
    const name = short(id), at = name.lastIndexOf("/");
    if (id.startsWith(`${page.run.id}/`)) found.get(name.slice(0, at))?.push([Number(name.slice(at + 1)), id]);
  }
  return [...found].map(([layer, cells]) => ({ layer, ids: cells.sort((a, b) => a[0] - b[0]).map(([, id]) => id) }));
}

export function showMap(page) {
  const layers = columns(page), wide = WIDTH / layers.length, ratio = devicePixelRatio || 1;
  const tall = Math.min(HIGH, CELL * Math.max(1, ...layers.map((each) => each.ids.length)));
  const canvas = element("canvas", { class: "map", role: "img", width: WIDTH * ratio, height: tall * ratio, "aria-label": `All features of ${layers.length} layers by module` });
  const said = element("p", { class: "soft" }, "A column is a layer, a line a feature; paler ones are not in the picture. Click to go to one.");
  paint(canvas.getContext("2d"), page, layers, wide * ratio, ratio);
  const under = (event) => {
    const box = canvas.getBoundingClientRect(), column = layers[Math.floor(((event.clientX - box.left) / box.width) * layers.length)];
    return column?.ids[Math.floor((((event.clientY - box.top) / box.height) * tall) / high(column))];
  };
  canvas.addEventListener("mousemove", (event) => {
    const id = under(event), module = id && page.graph.module(id);
    canvas.style.cursor = id ? "pointer" : "default";
    if (id) said.textContent = `${short(id)}${module ? `, module ${module}` : ""}`;
  });
  canvas.addEventListener("click", (event) => { const id = under(event); if (id) change({ selected: id, tab: "feature" }); });
  return element("div", { id: "map" }, element("h3", {}, "Map of all layers"), canvas, said);
}

const high = ({ ids }) => Math.min(CELL, HIGH / ids.length);

function paint(context, page, layers, wide, ratio) {
  layers.forEach((each, column) => each.ids.forEach((id, row) => {
    const cell = high(each) * ratio, gap = wide > 6 ? 1 : 0, line = cell > 3 ? 1 : 0;
    context.globalAlpha = page.graph.home.has(id) || id === state.selected ? 1 : 0.3;
    context.fillStyle = page.graph.module(id) ? page.graph.colour(id) : GREY;
    context.fillRect(column * wide, row * cell, wide - gap, cell - line);
  }));
}
