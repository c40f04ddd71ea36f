// One canvas and its size in device pixels; a panel draws in CSS pixels and leaves behind how to find what it drew.

class Surface {
  constructor(canvas, draw) {
    this.canvas = canvas;
    this.draw = draw;
    this.g = canvas.getContext("2d");
    this.width = this.height = 0;
    this.find = null; // (x, y) -> { lines, click } or null, set by each drawing
    this.isNarrow = false; // whether the panels are stacked, as on a phone
  }

  // The smallest letters, in pixels.
  get least() { return this.isNarrow ? 12 : 7; }

  measure() {
    const { clientWidth, clientHeight } = this.canvas.parentElement;
    this.width = clientWidth;
    this.height = clientHeight;
  }

  paint(record, unit) {
    const scale = globalThis.devicePixelRatio || 1;
    const width = Math.round(this.width * scale), height = Math.round(this.height * scale);
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    this.g.setTransform(scale, 0, 0, scale, 0, 0);
    this.g.clearRect(0, 0, this.width, this.height);
    this.find = null;
    if (this.width > 8 && this.height > 8) this.draw(this, record, unit);
  }

  font(size, { mono = false, bold = false } = {}) {
    this.g.font = `${bold ? "600 " : ""}${Math.max(size, this.least)}px ${mono ? theme.mono : theme.sans}`;
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

// 1, 2 or 5 times a power of ten, at least `value`: a scale that seldom changes.
function niceAbove(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-9)));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value * 0.9999);
}
