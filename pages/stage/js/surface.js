// One canvas and its size in device pixels; a panel draws in CSS pixels and leaves behind how to find what it drew.

import { fitted } from "../../look/canvas.js";
import { theme } from "./theme.js";

export class Surface {
  constructor(canvas, draw) {
    this.canvas = canvas;
    this.draw = draw;
    this.g = canvas.getContext("2d");
    this.pixels = [0, 0];
    this.width = this.height = 0;
    this.least = 0; // CSS pixels: no text is smaller
    this.isNarrow = false; // whether the panels are stacked, as on a phone
    this.description = ""; // what the picture shows, as its title has it
    // Set by each drawing: what lies at a point, and the cells that keys move among. A cell is told of by
    // { lines, where, click, opens, state }: `where` and `state` are for the ear alone, `opens` for number.js.
    this.find = null; // (x, y) -> a cell's, or null
    this.cells = null; // { rows, columns(row), start, box(row, column), tell(row, column) }
  }

  // The browser knows how many device pixels the canvas covers; a size that is rounded twice makes soft letters.
  observe(onChange) {
    const box = "device-pixel-content-box";
    const observer = new ResizeObserver(([{ devicePixelContentBoxSize: sizes, contentRect }]) => {
      const scale = globalThis.devicePixelRatio || 1, { inlineSize, blockSize } = sizes?.[0] ?? {};
      const [width, height] = [contentRect.width * scale, contentRect.height * scale];
      const isTrue = Math.abs(inlineSize - width) < 2 && Math.abs(blockSize - height) < 2; // an emulated screen may not
      this.pixels = isTrue ? [inlineSize, blockSize] : [Math.round(width), Math.round(height)];
      onChange();
    });
    try {
      observer.observe(this.canvas, { box });
    } catch {
      observer.observe(this.canvas);
    } // not every browser tells
  }

  paint(record, unit, least) {
    const scale = globalThis.devicePixelRatio || 1;
    const [width, height] = this.pixels;
    this.width = width / scale;
    this.height = height / scale;
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    this.g.setTransform(scale, 0, 0, scale, 0, 0);
    this.g.clearRect(0, 0, this.width, this.height);
    this.find = this.cells = null;
    this.least = least;
    if (this.width > 8 && this.height > 8) this.draw(this, record, unit);
  }

  // What is told of the cell in a row and column, or null if there is none.
  at(row, column) {
    const { cells } = this;
    if (!cells || !(row >= 0 && row < cells.rows && column >= 0 && column < cells.columns(row))) return null;
    return cells.tell(row, column);
  }

  font(size, { mono = false, bold = false } = {}) {
    this.g.font = `${bold ? "600 " : ""}${Math.max(this.least, size)}px ${mono ? theme.mono : theme.sans}`;
  }

  text(text, x, y, { colour = theme.text, align = "left", most = Infinity } = {}) {
    const { g } = this;
    g.fillStyle = colour;
    g.textAlign = align;
    g.textBaseline = "middle";
    g.fillText(most === Infinity ? text : fitted(g, text, most), x, y);
  }

  box(x, y, width, height, colour, radius = 0) {
    const { g } = this;
    g.fillStyle = colour;
    if (!radius || width < 2 * radius) return g.fillRect(x, y, width, height);
    g.beginPath();
    g.roundRect(x, y, width, height, radius);
    g.fill();
  }

  outline(x, y, width, height, colour, weight = 2) {
    this.g.strokeStyle = colour;
    this.g.lineWidth = weight;
    this.g.strokeRect(x, y, width, height);
  }
}
