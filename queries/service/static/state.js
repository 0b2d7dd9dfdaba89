// What a person has chosen. It is in the address, so that a link brings the view back, and each
// step can be undone.

import { snapshot } from "./snapshot.js";

const START = {
  run: "", share: snapshot ? Math.round(100 * snapshot.share) : 80, order: "importance", width: "share", tab: "feature", selected: "",
  pins: [], source: "", target: "", module: 0, folded: [], resolution: 1, other: "",
  layer: "", role: "", degree: 0, labelled: 0, top: 0,
};

export const state = read();
const steps = [];
const watchers = [];

function read() {
  const given = new URLSearchParams(location.hash.slice(1) || document.documentElement.dataset.state);
  const found = { ...START };
  for (const [name, value] of Object.entries(START)) {
    if (!given.has(name)) continue;
    const text = given.get(name);
    if (Array.isArray(value)) found[name] = list(text);
    else found[name] = typeof value === "number" ? Number(text) || 0 : text;
  }
  return found;
}

function list(text) {
  try {
    const found = JSON.parse(text);
    return Array.isArray(found) ? found.filter((each) => typeof each === "string") : [];
  } catch { return []; }  // of a link that was cut, or mistyped
}

// The view as it stands in the address, after the #.
export function address() {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(START)) {
    const text = (x) => (Array.isArray(x) ? JSON.stringify(x) : String(x));
    if (text(state[name]) !== text(value)) query.set(name, text(state[name]));
  }
  return String(query);
}

function write() {
  try { history.replaceState(null, "", address() ? `#${address()}` : location.pathname); }
  catch { /* a page in a notebook's frame has no address */ }
}

export function watch(watcher) { watchers.push(watcher); }

export async function change(values, { undoable = true } = {}) {
  if (undoable) steps.push({ ...state });
  Object.assign(state, values);
  write();
  for (const watcher of watchers) await watcher(Object.keys(values));
}

export async function undo() {
  const before = steps.pop();
  if (before) await change(before, { undoable: false });
}

addEventListener("hashchange", () => change(read(), { undoable: false }));
