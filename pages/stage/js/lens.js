// What each layer would say next: the final norm and the unembedding, read off the stream after every layer.

import { layerName } from "../../look/names.js";
import { percent, wholePercent } from "../../look/numbers.js";
import { spoken } from "../../look/tokens.js";
import { state } from "./store.js";
import { mix, theme } from "./theme.js";
import { howMade } from "./token_facts.js";

// Evenly spaced rows of the lens that fit, the first, the last and the locked layer's always among them.
function lensColumns(rows, most) {
  const fit = Math.max(2, Math.min(rows, most));
  const columns = new Set();
  for (let n = 0; n < fit; n += 1) columns.add(Math.round((n * (rows - 1)) / (fit - 1)));
  if (state.lock && fit < rows) columns.add(state.lock.layer + 1);
  return [...columns].sort((a, b) => a - b);
}

export const DEPTH = { from: "embed", room: 3.8 }; // the name of the embedding's depth, and the room for names in units

export function drawLens(surface, record, unit) {
  const { lens } = record;
  if (!lens) {
    surface.font(unit);
    return surface.text("This run was made without the logit lens.", 0, unit, { colour: theme.muted });
  }
  return surface.isNarrow ? drawLensDown(surface, record, unit) : drawLensAcross(surface, record, unit);
}

// A depth a column, the bottom of the stack on the left.
function drawLensAcross(surface, record, unit) {
  const { width, height } = surface, { lens } = record;
  const rows = lens.labels.length;
  const columns = lensColumns(rows, Math.floor(width / (unit * 4)));
  const head = unit * 1.5, pitch = width / columns.length, gap = unit * 0.3;
  const lines = Math.max(1, Math.min(lens.labels[0].length, Math.floor((height - head) / (unit * 1.65))));
  const tall = (height - head) / lines;
  columns.forEach((row, n) => {
    nameDepth(surface, row, n * pitch, head * 0.4, pitch - gap, unit);
    for (let line = 0; line < lines; line += 1) {
      drawGuess(surface, record, row, line, [n * pitch, head + line * tall, pitch - gap, tall - gap * 0.6], unit);
    }
  });
  surface.cells = {
    rows: lines,
    columns: () => columns.length,
    start: [0, columns.length - 1],
    box: (line, n) => [n * pitch, head + line * tall, pitch - gap, tall - gap * 0.6],
    tell: (line, n) => tellGuess(record, columns[n], line),
  };
  surface.find = (x, y) => surface.at(Math.floor((y - head) / tall), Math.floor(x / pitch));
  return columns.length < rows ? `${columns.length} of ${rows} depths shown` : "";
}

// On a narrow screen a depth is a line, the top of the stack on top, and as many guesses as fit are beside one another.
function drawLensDown(surface, record, unit) {
  const { width, height } = surface, { lens } = record;
  const rows = lens.labels.length, tall = Math.min(height / rows, unit * 2.2), left = unit * DEPTH.room;
  const columns = Math.max(1, Math.min(lens.labels[0].length, Math.floor((width - left) / (unit * 6.5))));
  const pitch = (width - left) / columns, gap = unit * 0.3;
  for (let row = 0; row < rows; row += 1) {
    const y = (rows - 1 - row) * tall;
    nameDepth(surface, row, 0, y + tall / 2, left - gap, unit);
    for (let line = 0; line < columns; line += 1) {
      drawGuess(surface, record, row, line, [left + line * pitch, y, pitch - gap, tall - gap * 0.6], unit);
    }
  }
  surface.cells = {
    rows,
    columns: () => columns,
    start: [0, 0],
    box: (n, line) => [left + line * pitch, n * tall, pitch - gap, tall - gap * 0.6],
    tell: (n, line) => tellGuess(record, rows - 1 - n, line),
  };
  surface.find = (x, y) => surface.at(Math.floor(y / tall), Math.floor((x - left) / pitch));
  return "";
}

function nameDepth(surface, row, x, middle, most, unit) {
  const isMarked = state.lock && row === state.lock.layer + 1;
  surface.font(unit * 0.9, { bold: isMarked });
  surface.text(row === 0 ? DEPTH.from : layerName(row - 1), x, middle, {
    colour: isMarked ? theme.text : theme.muted,
    most,
  });
}

// One guess of one depth: its token, and its probability where there is room.
function drawGuess(surface, record, row, line, [x, y, width, tall], unit) {
  const { lens, next } = record;
  const share = lens.probabilities[row][line], isDrawn = next ? lens.ids[row][line] === next.token : false;
  const wide = width > unit * 6.1, middle = y + tall / 2;
  const depth = (isDrawn ? 0.16 : 0.06) + 0.5 * Math.sqrt(share);
  surface.box(x, y, width, tall, mix(theme.panel, isDrawn ? theme.sampling : theme.residual, depth), 2);
  surface.font(unit * 0.92, { mono: true, bold: isDrawn });
  surface.text(lens.labels[row][line], x + unit * 0.4, middle, { most: width - unit * (wide ? 3.3 : 0.6) });
  if (!wide) return;
  surface.font(unit * 0.8);
  surface.text(wholePercent(share), x + width - unit * 0.4, middle, {
    align: "right",
    colour: mix(theme.text, theme.panel, 0.25),
  });
}

function tellGuess(record, row, line) {
  const { lens, next, stop } = record;
  const hook = row === 0 ? "blocks.0.hook_resid_pre" : `blocks.${row - 1}.hook_resid_post`;
  const said = [`${percent(lens.probabilities[row][line], 2)} ${spoken(lens.labels[row][line])}`];
  if (next) said.push(`${spoken(next.label)}, ${howMade(next)}: ${percent(lens.drawn[row], 2)}`);
  const where = row === 0 ? "after the embedding" : `after ${layerName(row - 1)}`;
  const opens = { kind: "lens", hook, index: [stop - 1, lens.ids[row][line]] };
  return { lines: [...said, `softmax(lm_head(ln_f(${hook}[${stop - 1}])))`], where, opens };
}
