// The graph as the stage takes it away: the drawing that stands on the page, its colours written into it, and its edges
// as a table.

import { SVG } from "../look/canvas.js";

const INK = ["fill", "stroke", "stroke-width", "stroke-linecap", "opacity", "text-anchor", "dominant-baseline"];
const LETTERS = ["font-size", "font-family", "font-weight"];

export async function stillOf(view, kind) {
  const svg = view.plot.querySelector("svg"), width = Number(svg.getAttribute("width"));
  const height = Number(svg.getAttribute("height")), text = inked(svg);
  const picture = { width, height, table: () => edgesOf(view) };
  if (kind === "svg") return { ...picture, paint: (pen) => pen.nest(text) };
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(text)}`;
  await image.decode();
  return { ...picture, paint: (pen) => pen.drawImage(image, 0, 0, width, height) };
}

// The same drawing without a style sheet: each mark says how it looks. What only widens a mark for a finger is left
// out.
function inked(svg) {
  const copy = svg.cloneNode(true), marks = [...svg.querySelectorAll("*")];
  copy.setAttribute("xmlns", SVG);
  [...copy.querySelectorAll("*")].forEach((mark, at) => {
    const style = getComputedStyle(marks[at]);
    const told = mark.tagName === "text" ? [...INK, ...LETTERS] : INK;
    for (const name of told) mark.setAttribute(name, style.getPropertyValue(name));
  });
  for (const reach of copy.querySelectorAll(".reach")) reach.remove();
  return new XMLSerializer().serializeToString(copy);
}

// One row for each edge, from the place that it leaves to the one that it enters.
function edgesOf({ data: { lines, rows, columns }, nodes }) {
  const place = (id) => {
    const { row, column } = nodes.get(id);
    return [rows[row], columns[column]];
  };
  const table = lines.map((line) => [...place(line.source), ...place(line.target), line.concept, line.share]);
  return [["from", "from token", "to", "to token", "kind", "through (share of 1)"], ...table];
}
