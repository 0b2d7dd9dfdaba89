// Two ways to draw the same picture: on a canvas, and as SVG.

export class CanvasPen {
  constructor(context) { this.context = context; }

  curve(a, b, colour, width, opacity) {
    const c = this.context, middle = (a.x + b.x) / 2;
    c.globalAlpha = opacity;
    c.strokeStyle = colour;
    c.lineWidth = width;
    c.beginPath();
    c.moveTo(a.x, a.y);
    c.bezierCurveTo(middle, a.y, middle, b.y, b.x, b.y);
    c.stroke();
    c.globalAlpha = 1;
  }

  dot(at, radius, fill, edge, width, opacity) {
    const c = this.context;
    c.globalAlpha = opacity;
    c.beginPath();
    c.arc(at.x, at.y, radius, 0, 2 * Math.PI);
    c.fillStyle = fill;
    c.fill();
    c.strokeStyle = edge;
    c.lineWidth = width;
    c.stroke();
    c.globalAlpha = 1;
  }

  block(at, radius, fill, edge, width, opacity) {
    const c = this.context;
    c.globalAlpha = opacity;
    c.beginPath();
    c.roundRect(at.x - 15, at.y - radius, 30, 2 * radius, 4);
    c.fillStyle = fill;
    c.fill();
    c.strokeStyle = edge;
    c.lineWidth = width;
    c.stroke();
    c.globalAlpha = 1;
  }

  line(a, b, colour, width, opacity) {
    const c = this.context;
    c.globalAlpha = opacity;
    c.strokeStyle = colour;
    c.lineWidth = width;
    c.setLineDash([4, 3]);
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
const short = (value) => Number(value.toFixed(2));

export class SvgPen {
  constructor(width, height, paper) {
    this.parts = [
      `<svg xmlns="http://www.w3.org/2000/svg" width="${short(width)}" height="${short(height)}" viewBox="0 0 ${short(width)} ${short(height)}" font-family="sans-serif">`,
      `<rect width="100%" height="100%" fill="${paper}"/>`,
    ];
  }

  curve(a, b, colour, width, opacity) {
    const m = short((a.x + b.x) / 2);
    this.parts.push(`<path class="interaction" d="M${short(a.x)} ${short(a.y)}C${m} ${short(a.y)} ${m} ${short(b.y)} ${short(b.x)} ${short(b.y)}" fill="none" stroke="${colour}" stroke-width="${short(width)}" opacity="${short(opacity)}"/>`);
  }

  dot(at, radius, fill, edge, width, opacity, name) {
    this.parts.push(`<circle class="feature" cx="${short(at.x)}" cy="${short(at.y)}" r="${short(radius)}" fill="${fill}" stroke="${edge}" stroke-width="${width}" opacity="${short(opacity)}"><title>${escaped(name)}</title></circle>`);
  }

  block(at, radius, fill, edge, width, opacity, name) {
    this.parts.push(`<rect class="block" x="${short(at.x - 15)}" y="${short(at.y - radius)}" width="30" height="${short(2 * radius)}" rx="4" fill="${fill}" stroke="${edge}" stroke-width="${width}" opacity="${short(opacity)}"><title>${escaped(name)}</title></rect>`);
  }

  line(a, b, colour, width, opacity) {
    this.parts.push(`<path class="match" d="M${short(a.x)} ${short(a.y)}L${short(b.x)} ${short(b.y)}" fill="none" stroke="${colour}" stroke-width="${width}" stroke-dasharray="4 3" opacity="${short(opacity)}"/>`);
  }

  text(x, y, words, colour, size, anchor, halo) {
    const edge = halo ? ` stroke="${halo}" stroke-width="3" paint-order="stroke"` : "";
    const anchors = { left: "start", center: "middle", right: "end" };
    this.parts.push(`<text x="${short(x)}" y="${short(y)}" font-size="${size}" fill="${colour}"${edge} text-anchor="${anchors[anchor]}">${escaped(words)}</text>`);
  }

  toString() { return [...this.parts, "</svg>"].join("\n"); }
}
