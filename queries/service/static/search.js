// Search: features whose label, layer or index has all the words.

import { get } from "./api.js";
import { change, state } from "./state.js";
import { byId, element, number, short } from "./words.js";

const box = byId("search"), list = byId("found");
const LENGTH = 30;
let waiting;

export function listenToSearch(page) {
  box.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(() => search(page), 150); });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    if (event.key === "Enter" || event.key === "ArrowDown") { event.preventDefault(); list.querySelector("button")?.focus(); }
  });
  list.addEventListener("keydown", (event) => {
    const item = event.target.closest("li");
    if (event.key === "Escape") { close(); box.focus(); }
    if (event.key === "ArrowDown") item?.nextElementSibling?.querySelector("button")?.focus();
    if (event.key === "ArrowUp") item?.previousElementSibling?.querySelector("button")?.focus();
    event.stopPropagation();
  });
  addEventListener("click", (event) => { if (!list.contains(event.target) && event.target !== box) close(); });
}

function close() { list.hidden = true; }

async function search(page) {
  const words = box.value.trim();
  if (!words) return close();
  try {
    const { data } = await get("/features", { run: state.run, search: words, sort: "importance", limit: LENGTH });
    if (words !== box.value.trim()) return;
    const items = data.features.map((each) => element("li", {}, element("button", {
      onclick: () => { close(); page.add([each]); change({ selected: each.id, tab: "feature" }); },
    }, `${short(each.id)} ${each.label ? `· ${each.label} ` : ""}`, element("span", { class: "soft" }, number(each.importance)))));
    const rest = data.total - data.features.length;
    if (!data.total) items.push(element("li", { class: "soft" }, "Nothing has all these words."));
    if (rest > 0) items.push(element("li", { class: "soft" }, `and ${rest} more: add a word`));
    list.replaceChildren(...items);
    list.hidden = false;
  } catch (error) { page.trouble(error); }
}
