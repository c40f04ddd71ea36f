// The picture on the text as the stage takes it away: its lines as wide as any still, and all its weights as a table.

import { SVG } from "../look/canvas.js";
import { tableOf } from "./table.js";

const STILL = 960;

// `paint` lays the view out anew.
export async function stillOf(view, kind, paint) {
  const { root, header, data } = view, table = () => tableOf(header, data);
  if (kind === "csv") return { table };
  root.style.width = `${STILL}px`; // for this drawing alone
  paint(view);
  const { offsetWidth: width, offsetHeight: height } = view.plot, drawn = drawingOf(view, width, height);
  root.style.width = "";
  paint(view);
  const picture = { width, height, table };
  if (kind === "svg") return { ...picture, paint: (pen) => pen.nest(drawn) };
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(drawn)}`;
  await image.decode();
  return { ...picture, paint: (pen) => pen.drawImage(image, 0, 0, width, height) };
}

// The tokens with their tints, a frame around those that look, and the arcs above.
function drawingOf({ tokens, arcs, ink }, width, height) {
  const svg = document.createElementNS(SVG, "svg");
  const add = (name, attributes) => {
    const node = svg.appendChild(document.createElementNS(SVG, name));
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  Object.entries({ xmlns: SVG, width, height }).forEach(([key, value]) => svg.setAttribute(key, value));
  for (const token of tokens) {
    const { offsetLeft: x, offsetTop: y, offsetWidth: wide, offsetHeight: high } = token;
    const style = getComputedStyle(token), looks = token.classList.contains("looks");
    const frame = looks ? { stroke: ink.mark, "stroke-width": 2 } : {};
    add("rect", { x, y, width: wide, height: high, rx: 4, fill: style.backgroundColor, ...frame });
    add("text", {
      x: x + wide / 2,
      y: y + high / 2,
      fill: style.color,
      "text-anchor": "middle",
      "dominant-baseline": "central",
      "font-size": style.fontSize,
      "font-family": style.fontFamily,
      "font-weight": style.fontWeight,
    }).textContent = token.textContent;
  }
  for (const path of arcs.children) {
    const { strokeWidth, opacity } = path.style;
    add("path", {
      d: path.getAttribute("d"),
      fill: "none",
      stroke: getComputedStyle(path).stroke,
      opacity,
      "stroke-width": strokeWidth,
    });
  }
  return new XMLSerializer().serializeToString(svg);
}
