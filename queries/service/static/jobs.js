// What takes long, followed by server-sent events; a reload finds it again.

import { get, post, remove } from "./api.js";
import { state } from "./state.js";
import { element, number } from "./words.js";

// Start a job and tell `shown` whatever is known of it until it ends.
export async function start(wanted, shown) {
  const { data } = await post("/jobs", { run: state.run }, wanted);
  return follow(data, shown);
}

export function follow(job, shown) {
  shown(job);
  if (job.state !== "running") return;
  const events = new EventSource(`/api/v1/jobs/${job.id}/events`);
  events.onmessage = ({ data }) => {
    const known = JSON.parse(data);
    shown(known);
    if (known.state !== "running") events.close();
  };
  events.onerror = () => events.close();
}

export const cancel = (id) => remove(`/jobs/${id}`);

// How far a job is, and a way to end it; or how it ended.
export function progress(job, doing) {
  const running = job.state === "running", said = job.lines.at(-1) ?? "";
  const words = running ? `${doing}: ${said || "the network is loaded"} … ` : job.state === "failed" ? said || "It failed." : "Cancelled.";
  const stop = element("button", { type: "button", onclick: () => cancel(job.id) }, "Cancel");
  return element("p", { class: "soft", role: "status" }, words, running ? stop : "");
}

export async function latest(kind, run) {
  const { data } = await get("/jobs");
  return data.filter((job) => job.kind === kind && job.run === run).at(-1);
}

// The score of a set beside that of the whole network and of random sets as large.
export function scores(circuit) {
  const largest = Math.max(circuit.score, circuit.baseline, circuit.random_score, 1e-12);
  const rows = [["this set alone", circuit.score], ["the whole network", circuit.baseline], ["random sets as large", circuit.random_score]].map(([name, value]) => {
    const bar = element("div", { class: "bar up" });
    bar.style.width = `${Math.max(2, (80 * Math.max(value, 0)) / largest)}px`;
    return element("tr", {}, element("td", {}, name), element("td", { class: "n" }, number(value)), element("td", {}, bar));
  });
  return element("table", { id: "scores" }, element("thead", {}, element("tr", {}, element("th", {}, `${circuit.metric}, held-out data`), element("th", {}, ""), element("th", {}, ""))), element("tbody", {}, ...rows));
}
