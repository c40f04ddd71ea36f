// One graph as SVG: where its rows and columns stand, its edges from wide to thin, its nodes, labels and legend.

import { SVG } from "../look/canvas.js";

// Pixels: the least of a column, and of one that is named; an edge of share 1; how far some bend aside; what a pointer
// meets.
const LEAST_COLUMN = 7, LEAST_NAMED = 14, WIDEST = 11, ASIDE = 10, REACH = 14;

function put(parent, name, attributes = {}, text = "") {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.textContent = text;
  return parent.appendChild(node);
}

// A presenter's letters are larger, and a panel that fills the window is as high as that.
function sizesOf(root) {
  const css = getComputedStyle(root), read = (name) => parseFloat(css.getPropertyValue(name)) || 0;
  return { type: read("--type") || 1, tall: read("--fill-tall") };
}

function placing({ rows, columns, height }, width, { type, tall }) {
  const left = (width < 480 ? 78 : 92) * type, right = 14 * type, top = 30 * type, bottom = 78 * type;
  const step = Math.max(LEAST_COLUMN * type, (width - left - right) / columns.length);
  const high = Math.max(tall || height * type, top + bottom + 16 * type * rows.length);
  const rise = (high - top - bottom) / (rows.length - 1);
  return {
    left,
    step,
    high,
    foot: high - bottom,
    wide: Math.max(width, left + step * columns.length + right),
    every: Math.ceil((LEAST_NAMED * type) / step),
    x: (column) => left + step * (column + 0.5),
    y: (row) => high - bottom - rise * row,
  };
}

// From below to above; what stays in its column bends aside so that all three kinds can be seen.
function curve(place, from, to, { concept, share }, type) {
  const [x, y, toX, toY] = [place.x(from.column), place.y(from.row), place.x(to.column), place.y(to.row)];
  const way = x === toX ? { attention: -1, residual: 0, mlp: 1 }[concept] : 0;
  const aside = way * (ASIDE * Math.min(type, place.step / 24) + 3 * WIDEST * type * share);
  const middle = (y + toY) / 2;
  return `M ${x} ${y} C ${x + aside} ${middle}, ${toX + aside} ${middle}, ${toX} ${toY}`;
}

function drawEdges(view, svg, place) {
  const { data, sizes: { type }, nodes } = view;
  const layers = ["halo", "lines"].map((name) => put(svg, "g", { class: name }));
  for (const line of [...data.lines].sort((one, other) => other.share - one.share)) {
    const d = curve(place, nodes.get(line.source), nodes.get(line.target), line, type);
    const wide = type * (1.2 + WIDEST * line.share);
    if (line.is_strong) put(layers[0], "path", { d, "stroke-width": wide + 7 * type });
    const kind = `item ${line.concept} ${line.is_strong ? "strong" : ""}`;
    const item = put(layers[1], "g", { class: kind, "data-id": line.id });
    put(item, "path", { d, class: "seen", "stroke-width": wide });
    put(item, "path", { d, class: "reach", "stroke-width": Math.max(REACH * type, wide) });
  }
}

function drawNodes(view, svg, place) {
  const { data, sizes: { type } } = view;
  for (const node of data.nodes) {
    const item = put(svg, "g", { class: `item node ${node.is_strong ? "strong" : ""}`, "data-id": node.id });
    const at = { cx: place.x(node.column), cy: place.y(node.row) };
    if (node.id === data.mark) put(item, "circle", { ...at, class: "mark", r: type * 11 });
    put(item, "circle", { ...at, class: "seen", r: type * (2.5 + 4.5 * Math.sqrt(Math.min(1, node.share))) });
    put(item, "circle", { ...at, class: "reach", r: type * 9 });
  }
}

function drawLabels(view, svg, place) {
  const { data, sizes: { type }, nodes } = view;
  const rows = put(svg, "g", { class: "rows" }), columns = put(svg, "g", { class: "columns" });
  data.rows.forEach((label, row) => {
    put(rows, "line", { x1: place.left, x2: place.wide - 8, y1: place.y(row), y2: place.y(row) });
    put(rows, "text", { x: place.left - 8, y: place.y(row) }, label);
  });
  data.columns.forEach((label, column) => {
    const [x, y] = [place.x(column) + 4 * type, place.foot + 18 * type];
    const between = { class: "gap", x: place.x(column) - place.step / 2, y: place.foot + 5 * type };
    if (data.gaps.includes(column)) put(columns, "text", between, "⋯");
    if ((data.columns.length - 1 - column) % place.every) return; // the last one is always named
    const short = [...label].length > 9 ? `${[...label].slice(0, 8).join("")}…` : label;
    put(columns, "text", { x, y, transform: `rotate(-50 ${x} ${y})` }, short);
  });
  const mark = nodes.get(data.mark), isRight = place.x(mark.column) > place.wide / 2;
  const at = { x: place.x(mark.column), y: 13 * type, "text-anchor": isRight ? "end" : "start", class: "answer" };
  put(svg, "text", at, data.answer);
}

export function drawGraph(view, width) {
  const { data, root } = view;
  view.sizes = sizesOf(root);
  const place = placing(data, width, view.sizes);
  for (const [name, colour] of Object.entries(data.colours)) root.style.setProperty(`--${name}`, colour);
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ width: place.wide, height: place.high, "aria-hidden": true })) {
    svg.setAttribute(name, String(value));
  }
  drawLabels(view, svg, place);
  drawEdges(view, svg, place);
  drawNodes(view, svg, place);
  view.note.textContent = place.every > 1 ? `one token in ${place.every} is named` : "";
  view.plot.replaceChildren(svg);
  view.plot.scrollLeft = place.wide; // the newest token is on the right
}
