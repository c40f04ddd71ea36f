// What the newest token is: its embedding, its position's, and their sum, each number one cell.

import { channels } from "../../look/canvas.js";
import { FEW_ENDS, fixed, roundAbove, signed } from "../../look/numbers.js";
import { spoken } from "../../look/tokens.js";
import { sayInto } from "./markup.js";
import { state } from "./store.js";
import { mix, theme } from "./theme.js";

export const STRIPS = [
  { hook: "hook_embed", label: "token", concept: "token" },
  { hook: "hook_pos_embed", label: "position", concept: "position" },
  { hook: "hook_embed + hook_pos_embed", label: "sum", concept: "residual", made: "blocks.0.hook_resid_pre" },
];

const SIGNED_STEPS = 127;
const signedShades = { key: "", table: [] };
const sheet = new OffscreenCanvas(1, 1);
const sheetContext = sheet.getContext("2d");

// Blue, paper, orange, symmetric about 0.
function signedColour(value, limit) {
  if (signedShades.key !== theme.name) {
    const pale = mix(theme.panel, theme.line, 0.35);
    signedShades.key = theme.name;
    signedShades.table = Array.from({ length: 2 * SIGNED_STEPS + 1 }, (_, n) => {
      const share = n / SIGNED_STEPS - 1;
      return channels(mix(pale, share < 0 ? theme.negative : theme.positive, Math.abs(share)));
    });
  }
  return signedShades.table[Math.round((Math.max(-1, Math.min(1, value / limit)) + 1) * SIGNED_STEPS)];
}

// The limit of `shared_scale` in pages/charts/embeddings.py, so that a colour is the same number there: it seldom
// changes, most cells lie within it, and the few beyond are drawn as far as the scale goes.
function signedLimit(values) {
  const sizes = Float32Array.from(values, Math.abs).sort();
  return roundAbove(sizes[Math.floor(sizes.length * 0.96)], FEW_ENDS);
}

export function drawEmbedding(surface, record, unit) {
  const { width, height, g } = surface;
  const values = record.embedding, size = state.header.d_model;
  const limit = signedLimit(values);
  const label = unit * 1.1, legend = unit * 1.5, gap = unit * 0.3;
  const tall = (height - legend) / STRIPS.length - label - gap;
  const rows = Math.max(2, Math.ceil(size / Math.floor(width / 1.9)));
  const columns = Math.ceil(size / rows);
  const image = new ImageData(columns, rows);
  sheet.width = columns;
  sheet.height = rows;
  g.imageSmoothingEnabled = false;
  STRIPS.forEach(({ label: name, concept }, n) => {
    const top = n * (tall + label + gap);
    surface.font(unit * 0.85);
    surface.text(name, 0, top + label * 0.5, { colour: theme.muted });
    image.data.fill(0);
    for (let d = 0; d < size; d += 1) {
      const [red, green, blue] = signedColour(values[n * size + d], limit);
      image.data.set([red, green, blue, 255], 4 * d);
    }
    sheetContext.putImageData(image, 0, 0);
    g.drawImage(sheet, 0, top + label, width, tall - 2);
    surface.box(0, top + label + tall - 2, width, 2, theme[concept]);
  });
  drawSignedLegend(surface, height - unit * 0.55, limit, unit);
  surface.find = (x, y) => {
    const n = Math.floor(y / (tall + label + gap));
    const row = Math.floor(((y - n * (tall + label + gap) - label) / (tall - 2)) * rows);
    if (row < 0 || row >= rows || x < 0 || x >= width) return null;
    return surface.at(n, row * columns + Math.floor((x / width) * columns));
  };
  const tell = (n, d) => {
    const { label: name, hook, made = hook } = STRIPS[n], value = signed(values[n * size + d]), at = record.stop - 1;
    const opens = { kind: "hook", hook: made, index: [at, d] };
    return { lines: [`${name} ${value}`, `dimension ${d} (0 to ${size - 1})`, `${hook}[${at}, ${d}]`], opens };
  };
  const wide = width / columns, high = (tall - 2) / rows;
  surface.cells = {
    rows: STRIPS.length,
    columns: () => size,
    start: [0, 0],
    tell,
    box: (n, d) => {
      const top = n * (tall + label + gap) + label;
      return [(d % columns) * wide, top + Math.floor(d / columns) * high, wide, high];
    },
  };
}

function drawSignedLegend(surface, y, limit, unit) {
  const { width, g } = surface;
  surface.font(unit * 0.8);
  const least = `≤ −${limit}`, most = `≥ +${limit}`;
  const long = Math.min(width * 0.5, unit * 8), x = (width - long) / 2;
  const colours = g.createLinearGradient(x, 0, x + long, 0);
  for (let n = 0; n <= 10; n += 1) {
    colours.addColorStop(n / 10, `rgb(${signedColour((n / 5 - 1) * limit, limit).join(",")})`);
  }
  g.fillStyle = colours;
  g.fillRect(x, y - unit * 0.3, long, unit * 0.6);
  surface.text(least, x - unit * 0.4, y, { align: "right", colour: theme.muted });
  surface.text(most, x + long + unit * 0.4, y, { colour: theme.muted });
}

export function paintNear(element, record) {
  if (!record.nearest.length) return sayInto(element, ["Nearest tokens need the model's weights."]);
  const parts = ["Nearest (cosine): "];
  record.nearest.forEach(([label, cosine], n) => {
    parts.push(spoken(label));
    parts.push(`\u00a0${fixed(cosine, 2).replace(/^0/, "")}${n < record.nearest.length - 1 ? "  " : ""}`);
  });
  sayInto(element, parts);
}
