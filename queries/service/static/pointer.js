// The mouse on the picture, and keys.

import { hover } from "./drawing.js";
import { togglePin } from "./feature.js";
import { toggleFold } from "./modules.js";
import { nameAt, nodeAt } from "./places.js";
import { fullScreen } from "./controls.js";
import { change, state, undo } from "./state.js";
import { byId, short } from "./words.js";

const canvas = byId("drawing"), stage = byId("stage"), tip = byId("tip");
let hovered = null;

const under = (event, find) => (page) => {
  const box = canvas.getBoundingClientRect();
  return find(page.graph, event.clientX - box.left, event.clientY - box.top);
};

function told(page, node) {
  const beside = page.graph.neighbours(node.id).size;
  const name = node.members ? `${node.name} of ${node.layer}\n${node.label}` : `${short(node.id)}${node.label ? `\n${node.label}` : ""}${node.position === undefined ? "" : `\n${node.role} at position ${node.position}`}`;
  const module = node.members ? node.module : page.graph.module(node.id);
  return `${name}${module ? `\nmodule ${module}` : ""}\n${beside} neighbours shown`;
}

function point(page, event) {
  const node = under(event, nodeAt)(page);
  canvas.style.cursor = node || under(event, nameAt)(page) ? "pointer" : "default";
  if (node === hovered) return;
  hovered = node;
  hover(page.graph, node, page.look());
  tip.hidden = !node;
  if (!node) return;
  tip.textContent = told(page, node);
  const right = node.x + 14 + 260 > stage.scrollLeft + stage.clientWidth;
  tip.style.left = right ? "" : `${node.x + 14}px`;
  tip.style.right = right ? `${Math.max(stage.clientWidth - node.x, 0) + 14}px` : "";
  tip.style.top = `${node.y + 10}px`;
}

function click(page, event) {
  const node = under(event, nodeAt)(page), column = !node && under(event, nameAt)(page);
  tip.hidden = true;
  hovered = null;
  if (column) return toggleFold(`layer:${column.layer.name}`);
  if (node && event.shiftKey) return node.members ? null : togglePin(node.id);
  return change({ selected: node?.id ?? "", tab: node ? "feature" : state.tab });
}

function step(page, by) {
  const node = page.graph.nodes.get(state.selected);
  if (!node) return;
  const column = page.graph.columns.find((each) => each.shown.includes(node)).shown;
  change({ selected: column[(column.indexOf(node) + by + column.length) % column.length].id, tab: "feature" });
}

// Go to the strongest input or output.
function follow(page, end, other) {
  const found = (page.graph.beside.get(state.selected) ?? []).filter((each) => each[other].id === state.selected);
  const best = found.sort((a, b) => (b.share ?? 0) - (a.share ?? 0))[0];
  if (best) change({ selected: best[end].id, tab: "feature" });
}

function group(page) {
  const node = page.graph.nodes.get(state.selected), module = node && (node.members ? node.module : page.graph.module(node.id));
  if (module) toggleFold(`module:${module}`);
}

export function listen(page) {
  canvas.addEventListener("mousemove", (event) => { if (page.view) point(page, event); });
  canvas.addEventListener("mouseleave", () => { if (hovered) { hovered = null; tip.hidden = true; hover(page.graph, null, page.look()); } });
  canvas.addEventListener("click", (event) => click(page, event));
  const keys = {
    "/": () => byId("search").focus(), Escape: () => { page.lit = null; change({ selected: "", module: 0 }); },
    p: () => state.selected && !state.selected.startsWith("block:") && togglePin(state.selected), g: () => group(page), z: undo, f: fullScreen, "?": () => byId("keys").showModal(),
    ArrowUp: () => step(page, -1), ArrowDown: () => step(page, 1), ArrowLeft: () => follow(page, "from", "to"), ArrowRight: () => follow(page, "to", "from"),
  };
  addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, dialog, [role=tablist], #found");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
}
