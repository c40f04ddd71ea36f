// One head large: queries down, keys across, the newest query in a frame; the value under the pointer in words.

import { percent } from "../../look/numbers.js";
import { spoken } from "../../look/tokens.js";
import { strongest } from "./mosaic.js";
import { shadeTable } from "./patterns.js";
import { shownHead } from "./rest.js";
import { recordAt, state, stepOfPosition, weight, windowOf } from "./store.js";
import { theme } from "./theme.js";

export function drawOneHead(surface, record, unit) {
  const seq = record.stop, newest = seq - 1, { labels } = state.header;
  const { layer, head, why } = shownHead(record);
  const { from, left, cell, tall, line, keyX } = layOutHead(surface, seq, unit);
  const { g } = surface;
  for (let query = from; query < seq; query += 1) {
    const y = (query - from) * tall;
    for (let key = from ? from - 1 : 0; key <= query; key += 1) {
      const value = weight(layer, head, query, key < from ? 0 : key);
      if (value === undefined) continue;
      g.fillStyle = shadeStyle(value);
      g.fillRect(keyX(key < from ? 0 : key), y, cell - line, tall - line);
    }
  }
  const letters = Math.max(surface.least, Math.min(unit * 0.9, tall * 0.98));
  const every = Math.max(1, Math.ceil(letters / tall)), across = Math.max(1, Math.ceil(letters / cell));
  for (let query = from; query < seq; query += 1) {
    const isNewest = query === newest;
    if (!isNewest && query && ((newest - query) % every || newest - query < every || query < every)) continue;
    if (!query && newest && newest < every) continue; // the newest has its place
    surface.font(letters, { mono: true, bold: isNewest });
    surface.text(labels[query], left - 4, Math.max(letters * 0.55, (query - from + 0.5) * tall), {
      align: "right",
      colour: isNewest ? theme.sampling : theme.muted,
      most: left - 6,
    });
  }
  const below = (seq - from) * tall + 4, room = surface.height - below, { key: top } = strongest(layer, head, record);
  for (const key of namedKeys(from, newest, across, top)) {
    surface.font(letters, { mono: true, bold: key === top });
    slanted(surface, labels[key], keyX(key) + cell / 2, below, room, letters, key === top ? theme.text : theme.muted);
  }
  const frame = keyX(newest) + cell - line - left; // its line lies outside the cells, which may be as thin as itself
  surface.outline(left - 0.8, (newest - from) * tall - 0.8, frame + 1.6, tall - line + 1.6, theme.sampling, 1.6);
  markWatched(surface, seq, { from, left, cell, tall, keyX });
  surface.find = (x, y) => {
    const query = from + Math.floor(y / tall);
    const key = from && x >= left && x < left + cell ? 0 : from + Math.floor((x - keyX(from)) / cell);
    if (query < from || query >= seq || key < 0 || key > query || (key < from && key !== 0)) return null;
    return tellWeight(query, key);
  };
  const tellWeight = (query, key) => {
    const value = weight(layer, head, query, key);
    const name = `blocks.${layer}.attn.hook_pattern[${head}, ${query}, ${key}]`;
    if (value === undefined) return { lines: [recordAt(stepOfPosition(query)) ? "not kept" : "on its way", name] };
    const looks = `${spoken(labels[query])} (${query}) looks at ${spoken(labels[key])} (${key})`;
    const opens = { kind: "hook", hook: `blocks.${layer}.attn.hook_pattern`, index: [head, query, key] };
    return { lines: [percent(value / 65535, 2), looks, name], opens };
  };
  const keyOf = (column) => (!from ? column : column ? from + column - 1 : 0), pinned = from ? 1 : 0;
  surface.cells = {
    rows: seq - from,
    columns: (row) => row + 1 + pinned,
    start: [seq - 1 - from, !top || top < from ? 0 : top - from + pinned],
    box: (row, column) => [keyX(keyOf(column)), row * tall, cell, tall],
    tell: (row, column) => tellWeight(from + row, keyOf(column)),
  };
  const gap = from ? `First token and the last ${seq - from} of ${seq} tokens; the gap stands for the others` : "";
  return [why && why[0].toUpperCase() + why.slice(1), gap].filter(Boolean).join(" · ");
}

// The row in which the watched token asks, and the column in which it answers.
function markWatched(surface, seq, { from, left, cell, tall, keyX }) {
  const at = state.watched?.position;
  if (at === undefined || at >= seq || (at < from && at !== 0)) return;
  const top = Math.max(0, at - from) * tall;
  surface.outline(keyX(at) - 0.5, top - 0.5, cell, (seq - from) * tall - top, theme.watched, 1.6);
  if (at >= from) surface.outline(left - 0.5, top - 0.5, keyX(at) + cell - left, tall, theme.watched, 1.6);
}

// The keys whose names fit: the newest token's strongest one, the first and the newest, then those that have room.
function namedKeys(from, newest, across, top) {
  const keys = top >= from || top === 0 ? [top] : [];
  const candidates = [0];
  for (let key = newest; key >= from; key -= across) candidates.push(key);
  const isFree = (key) => keys.every((other) => Math.abs(other - key) >= across || (from && !other !== !key));
  for (const key of candidates) if (isFree(key)) keys.push(key);
  return keys;
}

// Which positions fit, and where a key's column is; where the beginning is left out the first token keeps a column.
function layOutHead({ width, height }, seq, unit) {
  const left = Math.min(width * 0.24, unit * 5.6), bottom = Math.min(height * 0.2, unit * 4.4);
  const wide = width - left - unit * 2.2, high = height - bottom;
  const { from, size } = windowOf(seq, Math.min(wide, high) / Math.max(3.4, unit * 0.27));
  const columns = size + (from ? 1.5 : 0);
  const cell = Math.min(wide / columns, (1.25 * high) / size), tall = Math.min(high / size, 1.25 * cell);
  const start = left + (from ? 1.5 * cell : 0);
  const keyX = (key) => (from && key === 0 ? left : start + (key - from) * cell);
  return { from, left, cell, tall, line: cell > 5 ? 1 : cell > 3 ? 0.5 : 0, keyX };
}

function shadeStyle(value) {
  const rgba = shadeTable()[value >> 6];
  return `rgb(${rgba & 255},${(rgba >> 8) & 255},${(rgba >> 16) & 255})`;
}

function slanted(surface, label, x, y, room, size, colour) {
  const { g } = surface;
  g.save();
  g.translate(x, y);
  g.rotate(Math.PI / 3.2);
  surface.text(label, 0, size * 0.1, { colour, most: room * 1.1 });
  g.restore();
}
