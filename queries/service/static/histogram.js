// How often a feature takes which values, as bars.

import { count, element, number } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 7, HEIGHT = 56;  // of a bin; the picture is as wide as the panel

function drawn(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const beyond = ({ below, above }) => [below ? `${count(below)} below` : "", above ? `${count(above)} above` : ""].filter(Boolean).join(", ");

// The picture in words.
export function said(found) {
  const { start, width, counts } = found, most = counts.indexOf(Math.max(...counts));
  const filled = counts.flatMap((n, i) => (n ? [i] : []));
  const total = counts.reduce((sum, n) => sum + n, found.beyond);
  const rest = `${count(found.beyond)} of ${count(total)} beyond`;
  if (!filled.length) return `All values are beyond the bins from ${number(start)} to ${number(start + width * counts.length)}`;
  return `Values from ${number(start + width * filled[0])} to ${number(start + width * (filled.at(-1) + 1))}, most near ${number(start + width * (most + 0.5))}; ${rest}`;
}

// Bins with few values beside a full one are seen, too: a bar that has any is a pixel high.
export function histogram(found) {
  const { start, width, counts } = found, most = Math.max(...counts, 1);
  const edge = (i) => number(start + i * width);
  const bars = counts.flatMap((n, i) => {
    if (!n) return [];
    const high = Math.max(1, (HEIGHT * n) / most);
    const title = drawn("title", {}, `${edge(i)} to ${edge(i + 1)}: ${count(n)}`);
    return [drawn("rect", { x: i * WIDTH, y: HEIGHT - high, width: WIDTH - 1, height: high, "data-bin": i, "data-count": n }, title)];
  });
  const picture = drawn("svg", { viewBox: `0 0 ${counts.length * WIDTH} ${HEIGHT}`, role: "img", "aria-label": said(found), preserveAspectRatio: "none" }, ...bars);
  const scale = element("div", { class: "row soft" }, element("span", { class: "grow" }, edge(0)), element("span", {}, edge(counts.length)));
  const rest = beyond(found);
  return element("div", { id: "histogram" }, picture, scale, rest ? element("p", { class: "soft" }, rest) : null);
}
