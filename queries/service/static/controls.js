// The controls above the picture: what they say follows from the state.

import { text } from "./api.js";
import { asPng, asSvg } from "./drawing.js";
import { listRuns, page } from "./main.js";
import { snapshot } from "./snapshot.js";
import { address, change, state, undo } from "./state.js";
import { byId, count, save } from "./words.js";

const CHOICES = ["order", "width"];

export function showControls() {
  for (const name of CHOICES) byId(name).value = state[name];
  byId("share").value = state.share;
  showKept(state.share);
}

// What the slider says: the share, how many interactions it keeps, and at which share others come in.
export function showKept(share) {
  const counts = page.view?.counts, kept = counts?.[share];
  byId("kept").textContent = `${share} %${counts ? ` · ${kept === null ? "more" : count(kept)}` : ""}`;
  if (counts) paintCounts(byId("counted"), counts, share);
}

const STEP = 4;  // percent of a bar

// A bar for each few percent: how many interactions come in there, as a logarithm.
function paintCounts(canvas, counts, share) {
  const bars = [];
  for (let at = 0; at < 100; at += STEP) bars.push(counts[at + STEP] === null ? null : counts[at + STEP] - counts[at]);
  const context = canvas.getContext("2d"), largest = Math.log1p(Math.max(...bars)), wide = canvas.width / bars.length;
  const style = getComputedStyle(document.documentElement), ink = (name) => style.getPropertyValue(name);
  context.clearRect(0, 0, canvas.width, canvas.height);
  bars.forEach((bar, i) => {
    const high = bar === null ? canvas.height : largest && (Math.log1p(bar) / largest) * canvas.height;
    context.globalAlpha = bar === null ? 0.4 : 1;
    context.fillStyle = ink(i * STEP < share && bar !== null ? "--accent" : "--line");
    context.fillRect(i * wide, canvas.height - high, wide - 1, high);
  });
  canvas.title = `Interactions that each ${STEP} % more of the strength bring in (as a logarithm); pale beyond the most that is drawn.`;
}

export const fullScreen = () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen());

// A page in a notebook's frame remembers nothing.
function remembered(name, value) {
  try {
    if (value !== undefined) localStorage.setItem(name, value);
    return localStorage.getItem(name);
  } catch { return null; }
}

function theme(name) {
  document.documentElement.dataset.theme = name;
  byId("theme").textContent = name === "dark" ? "Light" : "Dark";
}

theme(remembered("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
byId("theme").addEventListener("click", () => {
  const name = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  remembered("theme", name);
  theme(name);
  page.draw();
});

// The whole page with this view, as one file.
async function saveHtml() {
  try {
    const whole = await text("/page", { run: state.run, share: state.share / 100 });
    save("lib-graph.html", whole.replace("<html", `<html data-state="${address()}"`), "text/html");
  } catch (error) { page.trouble(error); }
}

byId("html").hidden = Boolean(snapshot);
byId("html").addEventListener("click", saveHtml);
byId("svg").addEventListener("click", () => save("lib-graph.svg", asSvg(page.graph, page.look()), "image/svg+xml"));
byId("png").addEventListener("click", async () => save("lib-graph.png", await asPng(page.graph, page.look()), "image/png"));
byId("help").addEventListener("click", () => byId("keys").showModal());
byId("full").addEventListener("click", fullScreen);
byId("undo").addEventListener("click", undo);
byId("run").addEventListener("focus", () => listRuns().catch((error) => page.trouble(error)));
byId("run").addEventListener("change", (event) => change({ run: event.target.value, selected: "", pins: [], source: "", target: "", module: 0, other: "", folded: [], layer: "", role: "" }));
byId("share").addEventListener("input", (event) => showKept(Number(event.target.value)));
byId("share").addEventListener("change", (event) => change({ share: Number(event.target.value) }));
for (const name of CHOICES) byId(name).addEventListener("change", (event) => change({ [name]: event.target.value }));

const tabs = [...document.querySelectorAll("[role=tab]")];
for (const tab of tabs) tab.addEventListener("click", () => change({ tab: tab.dataset.tab }, { undoable: false }));
document.querySelector("[role=tablist]").addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key], open = tabs.filter((tab) => !tab.hidden);
  if (!by) return;
  const next = open[(open.indexOf(event.target) + by + open.length) % open.length];
  next.focus();
  next.click();
});
