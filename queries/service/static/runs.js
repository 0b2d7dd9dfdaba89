// The panel of runs: one input over the average (a trace), and another run below this one.

import { get } from "./api.js";
import { progress, start } from "./jobs.js";
import { change, state } from "./state.js";
import { byId, cypherBlock, element, number, percent, short, sign } from "./words.js";

const panel = byId("runs");
const COUNT = 30;

export async function showRuns(page) {
  const own = page.runs.find((run) => run.id === page.run.id);
  const others = page.runs.filter((run) => run.id !== own.id);
  panel.replaceChildren(beside(others), own.base ? element("div", { id: "unusual" }, "…") : own.prompt ? "" : tracing(page));
  if (own.base) await showUnusual(own, page);
}

function beside(others) {
  const options = others.map((run) => element("option", { value: run.id }, `${run.name} · ${run.basis} · ${run.id}`));
  const choice = element("select", { id: "other", "aria-label": "Another run", onchange: () => change({ other: choice.value }) }, element("option", { value: "" }, "none"), ...options);
  choice.value = others.find((run) => state.other && (run.id.startsWith(state.other) || run.name === state.other))?.id ?? "";
  const hint = others.length ? "Dashed lines join features that 'lib-graph match' found to be alike." : "The store has no other run. Load one with 'lib-graph ingest'.";
  return element("div", {}, element("h3", {}, "Side by side"), element("label", {}, "Below this run ", choice), element("p", { class: "soft" }, hint));
}

// What one input uses that the average does not: a trace is a run of its own.
function tracing(page) {
  const input = element("input", { type: "text", id: "input", "aria-label": "Input", placeholder: "the number of a sample, or a text", maxlength: 10000 });
  const told = element("div", { id: "tracing" });
  const form = element("form", { class: "row" }, input, element("button", { id: "trace" }, "Trace"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await start({ kind: "trace", input: input.value }, (job) => {
        if (job.state === "done") change({ run: job.result.run, selected: "", pins: [], folded: [], tab: "runs" });
        else told.replaceChildren(progress(job, "Tracing"));
      });
    } catch (error) { told.textContent = error.message; }
  });
  const about = "The interactions of one input, beside those of all data: what it uses that the average does not.";
  return element("div", {}, element("h3", {}, "A single input"), element("p", { class: "soft" }, about), form, told);
}

async function showUnusual(own, page) {
  const place = byId("unusual");
  try {
    const answer = await get("/unusual", { run: state.run, limit: COUNT });
    const rows = answer.data;
    await page.light(rows.flatMap((each) => [each.source, each.target]), rows);
    const head = element("tr", {}, ...["This input uses", "share", "average", ""].map((name, i) => element("th", { class: i % 3 ? "n" : "" }, name)));
    place.replaceChildren(
      element("h3", {}, "Over the average"), element("p", { class: "soft" }, `What this input uses more than the average of run ${own.base}, the strongest by the factor first. It is lit.`),
      rows.length ? element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows.map(row))) : element("p", {}, "Nothing."),
      element("button", { onclick: () => change({ run: own.base, selected: "", tab: "runs" }) }, "Back to the average"), cypherBlock(answer.statements));
  } catch (error) { place.textContent = error.message; }
}

function row(each) {
  const name = (end) => short(each[end]) + (each[`${end}_label`] ? ` · ${each[`${end}_label`]}` : "");
  const go = element("button", { onclick: () => change({ selected: each.target, tab: "feature" }) }, `${name("source")} → ${name("target")}`);
  const bar = element("div", { class: `bar ${sign(each.effect)}` });
  bar.style.width = `${Math.max(2, 50 * (each.share ?? 0))}px`;
  return element("tr", {}, element("td", {}, go), element("td", { class: "n" }, percent(each.share)), element("td", { class: "n" }, `${percent(each.other_share)}${each.ratio ? ` (× ${number(each.ratio)})` : ""}`), element("td", {}, bar));
}
