// A pen that writes SVG: the part of a canvas's interface that the pictures use, so that the same code draws both.

const MOST_CELLS = 60_000; // of all images of one picture; those that come after are embedded, or the file grows huge
const ADJUST = "spacingAndGlyphs";
const ANCHORS = { left: "start", center: "middle", right: "end" };
const FONT = /^(?:(\d+) )?([\d.]+)px (.+)$/;

// What XML forbids.
// deno-lint-ignore no-control-regex
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;
const ESCAPED = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const markup = (text) => String(text).replace(FORBIDDEN, "\ufffd").replace(/[&<>"]/g, (sign) => ESCAPED[sign]);
const short = (value) => Number(value.toFixed(3));

export class SvgPen {
  parts = [];
  path = "";
  cells = 0;
  paints = 0;
  matrix = new DOMMatrix();
  saved = [];
  lineWidth = 1;
  fillStyle = "#000";
  strokeStyle = "#000";
  textAlign = "left";
  textBaseline = "alphabetic";
  probe = document.createElement("canvas").getContext("2d");

  set font(font) {
    this.probe.font = this.written = font;
  }
  measureText(text) {
    return this.probe.measureText(text);
  }

  getTransform() {
    return this.matrix;
  }
  save() {
    this.saved.push(this.matrix);
  }
  restore() {
    this.matrix = this.saved.pop();
  }
  translate(x, y) {
    this.matrix = this.matrix.translate(x, y);
  }
  rotate(turn) {
    this.matrix = this.matrix.rotate((turn * 180) / Math.PI);
  }

  add(tag, attributes, inside = "") {
    const { a, b, c, d, e, f, isIdentity } = this.matrix;
    const all = isIdentity ? attributes : { ...attributes, transform: `matrix(${[a, b, c, d, e, f].map(short)})` };
    const written = Object.entries(all).map(([name, value]) => ` ${name}="${markup(value)}"`).join("");
    this.parts.push(`<${tag}${written}>${inside}</${tag}>`);
  }

  // A colour as it is; a pattern or a gradient by the name under which it stands before its first use.
  colour(style) {
    if (typeof style === "string") return style;
    if (!style.id) {
      style.id = `paint${(this.paints += 1)}`;
      this.parts.push(style.define(style.id));
    }
    return `url(#${style.id})`;
  }

  createPattern(tile) {
    const { width, height } = tile, image = `<image href="${tile.toDataURL()}" width="${width}" height="${height}"/>`;
    const size = `width="${width}" height="${height}" patternUnits="userSpaceOnUse"`;
    return { define: (id) => `<pattern id="${id}" ${size}>${image}</pattern>` };
  }

  createLinearGradient(x1, y1, x2, y2) {
    const stops = [], ends = `x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" gradientUnits="userSpaceOnUse"`;
    return {
      addColorStop: (offset, colour) => stops.push(`<stop offset="${offset}" stop-color="${markup(colour)}"/>`),
      define: (id) => `<linearGradient id="${id}" ${ends}>${stops.join("")}</linearGradient>`,
    };
  }

  fillRect(x, y, width, height) {
    this.add("rect", { ...boxed(x, y, width, height), fill: this.colour(this.fillStyle) });
  }

  strokeRect(x, y, width, height) {
    this.add("rect", { ...boxed(x, y, width, height), fill: "none", ...this.stroked() });
  }

  stroked() {
    return { stroke: this.colour(this.strokeStyle), "stroke-width": this.lineWidth };
  }
  beginPath() {
    this.path = "";
  }
  moveTo(x, y) {
    this.path += `M${short(x)} ${short(y)}`;
  }
  lineTo(x, y) {
    this.path += `L${short(x)} ${short(y)}`;
  }
  fill() {
    this.add("path", { d: this.path, fill: this.colour(this.fillStyle) });
  }
  stroke() {
    this.add("path", { d: this.path, fill: "none", ...this.stroked() });
  }

  roundRect(x, y, width, height, radius) {
    const arc = (right, down) => `a${radius} ${radius} 0 0 1 ${right} ${down}`, r = radius;
    const [across, along] = [short(width - 2 * r), short(height - 2 * r)];
    this.path += `M${short(x + r)} ${short(y)}h${across}${arc(r, r)}v${along}${arc(-r, r)}h${-across}${arc(-r, -r)}` +
      `v${-along}${arc(r, -r)}z`;
  }

  fillText(text, x, y) {
    const [, weight, written, family] = FONT.exec(this.written), size = Number(written);
    const middle = this.textBaseline === "middle" ? 0.35 * size : 0; // many programs know no other baseline than one
    this.add("text", {
      x: short(x),
      y: short(y + middle),
      fill: this.colour(this.fillStyle),
      "text-anchor": ANCHORS[this.textAlign],
      "font-family": family,
      "font-size": size,
      "font-weight": weight ?? 400,
      "xml:space": "preserve",
      ...this.length(text),
    }, markup(text));
  }

  // Where a program has other letters than this browser, a text keeps its place.
  length(text) {
    return text ? { textLength: short(this.measureText(text).width), lengthAdjust: ADJUST } : {};
  }

  drawImage(image, ...at) {
    const whole = at.length === 8 ? at : [0, 0, image.width, image.height, ...at];
    const [fromX, fromY, wide, high, x, y, width, height] = whole;
    const copy = Object.assign(document.createElement("canvas"), { width: wide, height: high });
    const pixels = copy.getContext("2d", { willReadFrequently: true });
    pixels.drawImage(image, fromX, fromY, wide, high, 0, 0, wide, high);
    this.cells += wide * high;
    if (this.cells > MOST_CELLS) return this.embed(copy, boxed(x, y, width, height));
    const { data } = pixels.getImageData(0, 0, wide, high);
    const rows = new Map(), [stepX, stepY] = [width / wide, height / high];
    for (let row = 0; row < high; row += 1) {
      for (let column = 0, end; column < wide; column = end) {
        const cell = cellColour(data, row * wide + column);
        end = column + 1;
        while (end < wide && cellColour(data, row * wide + end) === cell) end += 1;
        const [left, long] = [short(x + column * stepX), short((end - column) * stepX)];
        const box = `M${left} ${short(y + row * stepY)}h${long}v${short(stepY)}h${-long}z`;
        if (cell) rows.set(cell, (rows.get(cell) ?? "") + box);
      }
    }
    for (const [fill, d] of rows) this.add("path", { d, fill, "shape-rendering": "crispEdges" });
  }

  embed(canvas, box) {
    const style = "image-rendering:pixelated";
    this.add("image", { ...box, href: canvas.toDataURL(), preserveAspectRatio: "none", style });
  }

  // Another SVG with its corner at 0, 0.
  nest(svg) {
    const { documentElement: root } = new DOMParser().parseFromString(svg, "image/svg+xml");
    for (const node of root.querySelectorAll("text")) {
      const font = ["weight", "size", "family"].map((part) => node.getAttribute(`font-${part}`) ?? "");
      this.font = font.join(" ").trim();
      for (const [name, value] of Object.entries(this.length(node.textContent))) node.setAttribute(name, String(value));
    }
    this.add("g", {}, new XMLSerializer().serializeToString(root));
  }

  file(width, height, scale) {
    const size = `width="${short(width * scale)}" height="${short(height * scale)}" viewBox="0 0 ${width} ${height}"`;
    return `<svg xmlns="http://www.w3.org/2000/svg" ${size}>${this.parts.join("\n")}</svg>\n`;
  }
}

function boxed(x, y, width, height) {
  return { x: short(x), y: short(y), width: short(width), height: short(height) };
}

// The colour of one pixel; none if it is clear.
function cellColour(data, at) {
  const [red, green, blue, opaque] = data.subarray(4 * at, 4 * at + 4);
  return opaque ? `rgb(${red},${green},${blue})` : "";
}
