// Two ways to draw the same picture: on a canvas, and as SVG. Curves leave and reach their ends
// sideways, or upright where layers are rows. A mark is a dot, a square, a diamond or a block.

import { short } from "./words.js";

export const FINE = 2.75;  // px of radius up to which a dot of a column is a square without an edge

// The two points that a curve bends towards.
function bend(a, b, upright) {
  const x = (a.x + b.x) / 2, y = (a.y + b.y) / 2;
  return upright ? [a.x, y, b.x, y] : [x, a.y, x, b.y];
}

const title = (node) => (node.members ? `${node.name} of ${node.layer}: ${node.label}` : `${short(node.id)} ${node.label ?? ""}`);

const diamond = ({ x, y }, r) => [[x, y - r], [x + r, y], [x, y + r], [x - r, y]];

export class CanvasPen {
  constructor(context, upright) { this.context = context; this.upright = upright; }

  curve(a, b, colour, width, opacity) { this.curves([[a, b]], colour, width, opacity); }

  curves(pairs, colour, width, opacity) {
    const c = this.context;
    c.globalAlpha = opacity;
    c.strokeStyle = colour;
    c.lineWidth = width;
    c.beginPath();
    for (const [a, b] of pairs) {
      c.moveTo(a.x, a.y);
      c.bezierCurveTo(...bend(a, b, this.upright), b.x, b.y);
    }
    c.stroke();
    c.globalAlpha = 1;
  }

  mark(shape, at, radius, fill, edge, width, opacity) {
    const c = this.context;
    c.globalAlpha = opacity;
    c.fillStyle = fill;
    if (radius <= FINE && width <= 1 && shape !== "block" && !this.upright) {
      const size = Math.round(2 * radius);
      c.fillRect(Math.round(at.x - radius), Math.round(at.y - radius), size, size);
      c.globalAlpha = 1;
      return;
    }
    c.beginPath();
    if (shape === "dot") c.arc(at.x, at.y, radius, 0, 2 * Math.PI);
    else if (shape === "square") c.rect(at.x - radius, at.y - radius, 2 * radius, 2 * radius);
    else if (shape === "block") c.roundRect(at.x - 15, at.y - radius, 30, 2 * radius, 4);
    else diamond(at, radius * 1.25).forEach(([x, y], i) => (i ? c.lineTo(x, y) : c.moveTo(x, y)));
    c.closePath();
    c.fill();
    c.strokeStyle = edge;
    c.lineWidth = width;
    c.stroke();
    c.globalAlpha = 1;
  }

  line(a, b, colour, width, opacity, dashed = true) {
    const c = this.context;
    c.globalAlpha = opacity;
    c.strokeStyle = colour;
    c.lineWidth = width;
    if (dashed) c.setLineDash([4, 3]);
    c.beginPath();
    c.moveTo(a.x, a.y);
    c.lineTo(b.x, b.y);
    c.stroke();
    c.setLineDash([]);
    c.globalAlpha = 1;
  }

  text(x, y, words, colour, size, anchor, halo) {
    const c = this.context;
    c.font = `${size}px system-ui, sans-serif`;
    c.fillStyle = colour;
    c.textAlign = anchor;
    if (halo) {
      c.strokeStyle = halo;
      c.lineWidth = 3;
      c.lineJoin = "round";
      c.strokeText(words, x, y);
    }
    c.fillText(words, x, y);
  }
}

const escaped = (words) => String(words).replace(/[&<>"]/g, (x) => `&#${x.charCodeAt(0)};`);
const rounded = (value) => Number(value.toFixed(2));

export class SvgPen {
  constructor(width, height, paper, upright) {
    this.upright = upright;
    this.parts = [
      `<svg xmlns="http://www.w3.org/2000/svg" width="${rounded(width)}" height="${rounded(height)}" viewBox="0 0 ${rounded(width)} ${rounded(height)}" font-family="sans-serif">`,
      `<rect width="100%" height="100%" fill="${paper}"/>`,
    ];
  }

  curve(a, b, colour, width, opacity) {
    const [x, y, z, w] = bend(a, b, this.upright).map(rounded);
    this.parts.push(`<path class="interaction" d="M${rounded(a.x)} ${rounded(a.y)}C${x} ${y} ${z} ${w} ${rounded(b.x)} ${rounded(b.y)}" fill="none" stroke="${colour}" stroke-width="${rounded(width)}" opacity="${rounded(opacity)}"/>`);
  }

  mark(shape, at, radius, fill, edge, width, opacity) {
    const style = `fill="${fill}" stroke="${edge}" stroke-width="${width}" opacity="${rounded(opacity)}"><title>${escaped(title(at))}</title>`;
    const half = shape === "block" ? 15 : radius, kind = shape === "block" ? "block" : "feature";
    if (shape === "dot") this.parts.push(`<circle class="feature" cx="${rounded(at.x)}" cy="${rounded(at.y)}" r="${rounded(radius)}" ${style}</circle>`);
    else if (shape === "diamond") this.parts.push(`<polygon class="feature" points="${diamond(at, radius * 1.25).flat().map(rounded).join(" ")}" ${style}</polygon>`);
    else this.parts.push(`<rect class="${kind}" x="${rounded(at.x - half)}" y="${rounded(at.y - radius)}" width="${rounded(2 * half)}" height="${rounded(2 * radius)}" rx="${shape === "block" ? 4 : 0}" ${style}</rect>`);
  }

  line(a, b, colour, width, opacity, dashed = true) {
    this.parts.push(`<path class="${dashed ? "match" : "rule"}" d="M${rounded(a.x)} ${rounded(a.y)}L${rounded(b.x)} ${rounded(b.y)}" fill="none" stroke="${colour}" stroke-width="${width}" stroke-dasharray="${dashed ? "4 3" : "none"}" opacity="${rounded(opacity)}"/>`);
  }

  text(x, y, words, colour, size, anchor, halo) {
    const edge = halo ? ` stroke="${halo}" stroke-width="3" paint-order="stroke"` : "";
    const anchors = { left: "start", center: "middle", right: "end" };
    this.parts.push(`<text x="${rounded(x)}" y="${rounded(y)}" font-size="${size}" fill="${colour}"${edge} text-anchor="${anchors[anchor]}">${escaped(words)}</text>`);
  }

  toString() { return [...this.parts, "</svg>"].join("\n"); }
}
