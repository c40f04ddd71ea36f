// Attention weights to pixels: a look-up table from 65,535ths to colour, and the triangles of all heads as one image.

import { channels } from "../../look/canvas.js";
import { patternRow, state } from "./store.js";
import { mix, theme } from "./theme.js";

const SHADES = 1024;
const shades = { key: "", table: new Uint32Array(SHADES) };
export const atlas = { canvas: document.createElement("canvas"), image: null };

// Little-endian RGBA of each shade; the square root keeps small weights visible.
export function shadeTable() {
  const key = theme.name;
  if (shades.key === key) return shades.table;
  const low = channels(mix(theme.panel, theme.line, 0.4)), high = channels(theme.attention);
  for (let n = 0; n < SHADES; n += 1) {
    const share = Math.sqrt(n / (SHADES - 1));
    const [r, g, b] = low.map((value, c) => Math.round(value + (high[c] - value) * share));
    shades.table[n] = ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  }
  shades.key = key;
  return shades.table;
}

// All heads' triangles for the positions from `from` up to `seq`, `pool` x `pool` weights in a pixel (their largest),
// drawn side by side: head across, layer down, each `side` pixels square. Column 0 is the first token if that lies
// before `from`.
export function drawAtlas(from, size, seq, pool) {
  const { n_layer: layers, n_head: heads } = state.header;
  const pinned = from > 0 ? 2 : 0; // the first key and a gap
  const side = Math.ceil(size / pool) + pinned;
  const width = (side + 1) * heads, height = (side + 1) * layers; // one clear pixel between, so that none bleeds over
  if (!atlas.image || atlas.image.width !== width || atlas.image.height !== height) {
    atlas.canvas.width = width;
    atlas.canvas.height = height;
    atlas.image = new ImageData(width, height);
  }
  const pixels = new Uint32Array(atlas.image.data.buffer);
  const values = new Uint16Array(side);
  const table = shadeTable();
  pixels.fill(0);
  for (let block = from; block < seq; block += pool) {
    const places = [];
    for (let query = block; query < Math.min(seq, block + pool); query += 1) {
      const place = patternRow(query);
      if (place) places.push([query, place]);
    }
    if (!places.length) continue;
    const newest = places[places.length - 1][0];
    const last = Math.floor((newest - from) / pool);
    for (let layer = 0; layer < layers; layer += 1) {
      for (let head = 0; head < heads; head += 1) {
        values.fill(0, 0, last + 1);
        let first = 0;
        for (const [query, { record, rows, width: kept, row }] of places) {
          const at = (layer * heads + head) * rows + row;
          const origin = (at + 1) * kept - 1 - query;
          const { pattern } = record;
          for (let key = Math.max(from, query - kept + 1); key <= query; key += 1) {
            const cell = pool === 1 ? key - from : Math.floor((key - from) / pool);
            const value = pattern[origin + key];
            if (value > values[cell]) values[cell] = value;
          }
          if (record.first[at] > first) first = record.first[at];
        }
        const y = layer * (side + 1) + Math.floor((block - from) / pool);
        const x = y * width + head * (side + 1);
        if (pinned) pixels[x] = table[first >> 6];
        for (let cell = 0; cell <= last; cell += 1) pixels[x + pinned + cell] = table[values[cell] >> 6];
      }
    }
  }
  atlas.canvas.getContext("2d").putImageData(atlas.image, 0, 0);
  return { side, pinned };
}
