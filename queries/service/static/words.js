// Small things of the page: elements, names, numbers.

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const byId = (id) => document.getElementById(id);

// A feature as the command line prints it: its id without the run.
export const short = (id) => id.slice(id.indexOf("/") + 1);

export const runOf = (id) => id.slice(0, id.indexOf("/"));

export function number(value) {
  if (value === null || value === undefined) return "";
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}

// A size with the sign of what it does.
export const signed = (size, effect) => ({ up: "+", down: "\u2212", unknown: "" })[sign(effect)] + number(size);

export function percent(value) {
  if (value === null || value === undefined) return "";
  if (value !== 0 && Math.abs(value) < 1e-4) return "<\u00a00.01\u00a0%";
  return `${Number((100 * value).toPrecision(3))}\u00a0%`;
}

export const count = (value) => value.toLocaleString("en");
export const sign = (effect) => (effect === null || effect === undefined || effect === 0 ? "unknown" : effect > 0 ? "up" : "down");

export function save(name, text, kind) {
  const link = element("a", { href: URL.createObjectURL(new Blob([text], { type: kind })), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}

export function copyButton(text) {
  const button = element("button", { type: "button" }, "Copy Cypher");
  button.addEventListener("click", async () => {
    try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; }
    catch { button.textContent = "Select and copy below"; }
  });
  return button;
}

export function cypherBlock(statements) {
  const text = statements.map((each) => each.paste).join("\n\n");
  return element("details", {}, element("summary", {}, `The Cypher of this (${statements.length})`), copyButton(text), element("pre", {}, text));
}
