// A picture as a file, to be shown to a room: 1,920 pixels wide, under its title and its sentence, above where it is
// from. It is drawn anew, as wide as all others of its kind, whatever room it has on the page.

import { stageNow } from "./now.js";
import { SvgPen } from "./pen.js";
import { LEAST_TEXT } from "./size.js";
import { Surface } from "./surface.js";
import { chartTable, panelTable } from "./tables.js";
import { theme } from "./theme.js";

const STILL_WIDE = 1920, STILL_MARGIN = 20; // the picture's pixels; the margin in those of the page
const TITLE_TYPE = 19, SENTENCE_TYPE = 14, SOURCE_TYPE = 11; // letters, in pixels of the page: half of the picture's
const CHART_WIDE = 960, CHART_TYPE = 12; // a chart's, with letters as at a desk; charts of a presenter's page are wider
const PANEL_SIZES = {
  embedding: [720, 300],
  residual: [640, 380],
  mosaic: [640, 430],
  one: [560, 450],
  lens: [860, 300],
  bars: [640, 400],
  draw: [800, 110],
};
const IMAGE = '[data-testid="stImage"]', DOWNLOAD = '[data-testid="stDownloadButton"] button';
const DRAWN = `.stVegaLiteChart, .gpt2-takable, ${IMAGE}`; // a graph and a text make their own still
const NO_PICTURE = "No picture is drawn here yet; wait a moment, or run a prompt first.";

// What stands in a panel: { width, height, paper, paint(pen, scale), note, table() }, in pixels of the page.
export async function pictureOf(button, kind) {
  const section = button.closest("section"), matrix = button.closest(".matrix");
  const drawn = section ? panelPicture(section) : matrix?.still(), below = drawn ? null : chartUnder(button);
  const picture = drawn ?? (await stillBelow(below, kind));
  if (!picture) throw new Error(NO_PICTURE);
  return { paper: theme.paper, note: "", ...picture };
}

function stillBelow(below, kind) {
  if (below?.gpt2Still) return below.gpt2Still(kind);
  return below?.matches(IMAGE) ? imagePicture(below) : chartPicture(below, kind);
}

// An image that Python has painted. Its numbers are more than a page holds: the button below it has them made.
function imagePicture(below) {
  const image = below.querySelector("img"), width = image.naturalWidth, height = image.naturalHeight;
  const block = below.closest(".stVerticalBlock"), { at, of } = block.querySelector(".gpt2-marks").dataset;
  const paint = (g) => {
    g.drawImage(image, 0, 0, width, height);
    g.fillStyle = theme.sampling;
    const [start, thick] = [(width * at) / of - 1, width / of + 2];
    g.fillRect(start, 0, thick, height);
    g.fillRect(0, start, width, thick);
  };
  return { width, height, paint, press: () => block.querySelector(DOWNLOAD).click() };
}

function panelPicture(section) {
  const { surfaces, record } = stageNow, { name, picture } = surfaces.find((surface) => surface.section === section);
  if (!record) return null;
  const [width, height] = PANEL_SIZES[name];
  const drawn = (g) => {
    const surface = new Surface(document.createElement("canvas"));
    Object.assign(surface, { g, width, height, least: LEAST_TEXT });
    return picture(surface, record, 13);
  };
  const note = drawn(document.createElement("canvas").getContext("2d")) ?? "";
  return { width, height, paper: theme.panel, paint: drawn, note, table: () => panelTable(name, record) };
}

// The chart, or the graph, that a heading on a page is of: the next one below it, before another heading of one.
export function chartUnder(button) {
  const all = [...document.querySelectorAll(`.gpt2-heading:has(.takes), ${DRAWN}`)];
  const next = all[all.indexOf(button.closest(".gpt2-heading")) + 1];
  return next?.matches(DRAWN) ? next : null;
}

// Vega hands out no view of a chart that stands on the page, but each mark knows the dataflow that has made it.
function viewOf(chart) {
  const marks = chart ? [...chart.querySelectorAll("svg.marks *")] : [];
  return marks.map((mark) => mark.__data__?.mark?.group?.context?.dataflow).find(Boolean);
}

// The chart is laid out anew, drawn, and put back as it was before the browser paints the page again.
async function chartPicture(chart, kind) {
  const view = viewOf(chart), table = () => chartTable(view);
  if (!view || kind === "csv") return view && { table };
  const svg = chart.querySelector("svg.marks"), before = parseFloat(svg.getAttribute("width"));
  const letters = [...svg.querySelectorAll("text")].map((text) => parseFloat(text.getAttribute("font-size")));
  const width = Math.round((CHART_WIDE * Math.min(...letters, 2 * CHART_TYPE)) / CHART_TYPE);
  await view.width(width).runAsync();
  const height = parseFloat(svg.getAttribute("height"));
  const drawn = kind === "svg" ? await view.toSVG() : await view.toCanvas(STILL_WIDE / width);
  await view.width(before).runAsync();
  const paint = (g) => (kind === "svg" ? g.nest(drawn) : g.drawImage(drawn, 0, 0, width, height));
  return { width, height, paint, table };
}

function wrapped(g, text, room) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
    if (g.measureText(longer).width <= room) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.filter(Boolean);
}

// Where each line of text stands around a picture, from top to bottom, and the height of all.
function layOutStill(g, { width, height, note }, { title, sentence, source }) {
  const lines = [];
  let y = STILL_MARGIN;
  const write = (text, size, colour, weight = "") => {
    const font = `${weight}${size}px ${theme.sans}`;
    g.font = font;
    for (const line of wrapped(g, text, width)) {
      y += 1.4 * size;
      lines.push({ line, font, colour, y: y - 0.35 * size });
    }
  };
  write(title, TITLE_TYPE, theme.text, "600 ");
  write(sentence, SENTENCE_TYPE, theme.muted);
  const top = y + 10;
  y = top + height + 4;
  write(note, SOURCE_TYPE, theme.muted);
  y += 6;
  write(source, SOURCE_TYPE, theme.muted);
  return { lines, top, tall: Math.ceil(y + STILL_MARGIN) };
}

// The file of a picture, as PNG or SVG.
export function stillFile(kind, picture, words) {
  const canvas = document.createElement("canvas"), probe = canvas.getContext("2d");
  const { lines, top, tall } = layOutStill(probe, picture, words), wide = picture.width + 2 * STILL_MARGIN;
  const scale = STILL_WIDE / wide, g = kind === "svg" ? new SvgPen() : probe;
  if (g instanceof CanvasRenderingContext2D) {
    Object.assign(canvas, { width: STILL_WIDE, height: Math.round(tall * scale) });
    g.scale(scale, scale);
  }
  g.fillStyle = picture.paper;
  g.fillRect(0, 0, wide, tall);
  [g.textAlign, g.textBaseline] = ["left", "alphabetic"];
  for (const { line, font, colour, y } of lines) {
    [g.font, g.fillStyle] = [font, colour];
    g.fillText(line, STILL_MARGIN, y);
  }
  g.save();
  g.translate(STILL_MARGIN, top);
  picture.paint(g, scale);
  g.restore();
  if (g instanceof SvgPen) return new Blob([g.file(wide, tall, scale)], { type: "image/svg+xml" });
  return new Promise((resolve) => canvas.toBlob(resolve));
}
