// Every head, this step: one small triangle a head, layers upwards, heads across. A click locks a head, the second one
// lets it go.

import { headName, layerName } from "../../look/names.js";
import { percent, wholePercent } from "../../look/numbers.js";
import { spoken } from "../../look/tokens.js";
import { isLocked, toggleHead } from "./lock.js";
import { atlas, drawAtlas } from "./patterns.js";
import { isSharpest, shownHead } from "./rest.js";
import { state, windowOf } from "./store.js";
import { theme } from "./theme.js";

export const MOSAIC_POSITIONS = 128; // as many keys of a row as a record keeps
const MANY_HEADS = 300;

export function drawMosaic(surface, record, unit) {
  const { width, height, g } = surface;
  const { n_layer: layers, n_head: heads } = state.header;
  const seq = record.stop;
  const left = unit * 1.9, top = unit * 1.3;
  const pitch = Math.min((width - left) / heads, (1.25 * (height - top - 2)) / layers); // at most a quarter off square
  const pitchY = Math.min((height - top - 2) / layers, 1.25 * pitch);
  const gap = Math.max(1, Math.min(unit * 0.35, pitch * 0.1)), cell = pitch - gap, cellY = pitchY - gap;
  const { from, size } = windowOf(seq, layers * heads > MANY_HEADS ? 32 : MOSAIC_POSITIONS);
  const pixels = Math.min(cell, cellY) * (globalThis.devicePixelRatio || 1);
  const pool = Math.max(1, Math.ceil(size / Math.max(pixels, 4)));
  const { side, pinned } = drawAtlas(from, size, seq, pool);
  const watchedColumn = columnOf(state.watched?.position, seq, from, pinned, pool);
  const shown = shownHead(record);
  const every = Math.max(1, Math.ceil((unit * 1.1) / pitchY)), across = Math.max(1, Math.ceil((unit * 1.9) / pitch));
  g.imageSmoothingEnabled = cell * g.getTransform().a < 3 * side;
  g.imageSmoothingQuality = "high";
  for (let layer = 0; layer < layers; layer += 1) {
    const y = top + (layers - 1 - layer) * pitchY;
    for (let head = 0; head < heads; head += 1) {
      g.drawImage(atlas.canvas, head * (side + 1), layer * (side + 1), side, side, left + head * pitch, y, cell, cellY);
      if (watchedColumn === null) continue;
      surface.box(left + head * pitch + ((watchedColumn + 0.5) / side) * cell - 1, y + cellY, 2, gap, theme.watched);
    }
    if (layer % every === 0) {
      surface.font(unit * 0.85);
      surface.text(layerName(layer), 0, y + cellY / 2, { colour: theme.muted });
    }
  }
  surface.font(unit * 0.85);
  for (let head = 0; head < heads; head += across) {
    const x = left + head * pitch + cell / 2;
    surface.text(`H${head}`, x, top - unit * 0.65, { align: "center", colour: theme.muted });
  }
  const markX = left + shown.head * pitch, markY = top + (layers - 1 - shown.layer) * pitchY;
  surface.outline(markX - 1.5, markY - 1.5, cell + 3, cellY + 3, theme.sampling, 2);
  surface.cells = {
    rows: layers,
    columns: () => heads,
    get start() { // a head may have been locked since this was drawn
      const now = shownHead(record);
      return [layers - 1 - now.layer, now.head];
    },
    box: (row, head) => [left + head * pitch, top + row * pitchY, cell, cellY],
    tell: (row, head) => {
      const layer = layers - 1 - row, click = () => toggleHead(layer, head);
      return { lines: headLines(layer, head, record), click, state: isLocked(layer, head) ? "locked" : "" };
    },
  };
  surface.find = (x, y) => surface.at(Math.floor((y - top) / pitchY), Math.floor((x - left) / pitch));
  return mosaicNote(seq, from, pool, isSharpest(shown, record) ? "" : headName(...record.sharpest));
}

// The column of a small triangle that stands for a position; null if none does.
function columnOf(position, seq, from, pinned, pool) {
  if (position === undefined || position >= seq) return null;
  if (position < from) return position === 0 ? 0 : null;
  return pinned + Math.floor((position - from) / pool);
}

// The newest token's strongest key in one head; no key where the patterns were let go.
export function strongest(layer, head, record) {
  const at = layer * state.header.n_head + head;
  return { key: record.strongest[at], share: record.strongest_share[at] };
}

// The sentence under the title on the head in the frame, where that is not the step's sharpest.
export function sayHead({ layer, head }, record) {
  const { key, share } = strongest(layer, head, record), name = headName(layer, head);
  if (key === undefined) return ["", name, "'s weights are not kept at this step"];
  const back = record.stop - 1 - key, far = back === 1 ? "one token" : `${back} tokens`;
  const most = `(${wholePercent(share)})`;
  if (!back) return ["", name, ` looks most at the newest token itself ${most}`];
  return ["", name, " looks most at ", spoken(state.header.labels[key]), `, ${far} back ${most}`];
}

function headLines(layer, head, record) {
  const { key, share } = strongest(layer, head, record), seq = record.stop;
  const { labels } = state.header;
  if (key === undefined) return [`${headName(layer, head)}: not kept`];
  return [
    `${headName(layer, head)}: ${percent(share)} on ${spoken(labels[key])}`,
    `strongest weight of ${spoken(labels[seq - 1])}, ${seq - 1 - key} back`,
    `blocks.${layer}.attn.hook_pattern[${head}, ${seq - 1}, ${key}]`,
  ];
}

function mosaicNote(seq, from, pool, sharpest) {
  const notes = ["Stronger blue = more attention, square-root scale"];
  if (sharpest) notes.push(`sharpest now: ${sharpest}`);
  if (from) notes.push(`first token and the last ${seq - from} of ${seq} tokens`);
  if (pool > 1) notes.push(`each dot the largest of ${pool}\u00a0×\u00a0${pool}`);
  return notes.join(" · ");
}
