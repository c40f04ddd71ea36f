// The numbers of a picture as a table, its first row the names and the units.

import { layerName } from "../../look/names.js";
import { CUTS } from "./bars.js";
import { STRIPS } from "./embedding.js";
import { DEPTH } from "./lens.js";
import { MOSAIC_POSITIONS } from "./mosaic.js";
import { NORM_NAMES } from "./residual.js";
import { shownHead } from "./rest.js";
import { state, weight, windowOf } from "./store.js";

const SHARE = "(share of 1)";

// Streamlit's charts: `columns` is what pages/charts/columns.py calls each field of each set of data.
export function chartTable(view) {
  const sets = Object.entries(view.signal("columns")), isMany = sets.length > 1;
  const names = [...new Set(sets.flatMap(([, fields]) => Object.values(fields)))];
  const rows = sets.flatMap(([set, fields]) => {
    const field = Object.fromEntries(Object.entries(fields).map(([own, name]) => [name, own]));
    return view.data(set).map((row) => [...(isMany ? [set] : []), ...names.map((name) => row[field[name]])]);
  });
  return [[...(isMany ? ["data"] : []), ...names], ...rows];
}

export function panelTable(name, record) {
  const { n_layer: layers, n_head: heads, d_model: size } = state.header, { lens, next } = record;
  const tables = {
    embedding: () => [
      ["dimension", ...STRIPS.map(({ hook }) => hook)],
      ...Array.from({ length: size }, (_, d) => [d, ...STRIPS.map((_, n) => record.embedding[n * size + d])]),
    ],
    residual: () => [
      ["layer", ...NORM_NAMES.map((hook) => `norm of ${hook}`)],
      ...Array.from({ length: layers }, (_, l) => [l, ...NORM_NAMES.map((_, kind) => record.norms[kind * layers + l])]),
    ],
    mosaic: () => weightTable(record, Array.from({ length: layers * heads }, (_, n) => n)),
    one: () => weightTable(record, [shownHead(record).layer * heads + shownHead(record).head]),
    lens: () => [
      ["layer", "rank", "token id", "token", `probability ${SHARE}`],
      ...lens.ids.flatMap((row, depth) => row.map((_, n) => lensRow(lens, depth, n))),
    ],
    bars: () => [
      ["rank", "token id", "token", `the model's own ${SHARE}`, `in the draw ${SHARE}`, "filter"],
      ...next.bars.map(({ rank, token, label, raw, final, cut }) => [rank, token, label, raw, final, CUTS[cut]]),
    ],
    draw: () => [
      ["token id", "token", `in the draw ${SHARE}`],
      ...next.segments.map(([label, share, token]) => [token, label, share]),
      ...(next.rest ? [["", `${next.kept - next.segments.length} more`, next.rest]] : []),
    ],
  };
  const isThere = name === "lens" ? lens : ["bars", "draw"].includes(name) ? next : record;
  if (!isThere) throw new Error("This step has no numbers here; choose another step.");
  return tables[name]();
}

function lensRow({ ids, labels, probabilities }, depth, n) {
  const name = depth ? layerName(depth - 1) : DEPTH.from;
  return [name, n + 1, ids[depth][n], labels[depth][n], probabilities[depth][n]];
}

// The weights of some heads, counted through all layers, at the positions that the mosaic has room for.
function weightTable({ stop }, shown) {
  const { labels, n_head: heads } = state.header, { from } = windowOf(stop, MOSAIC_POSITIONS), rows = [];
  for (const at of shown) {
    const layer = Math.floor(at / heads), head = at % heads;
    for (let query = from; query < stop; query += 1) {
      for (let key = 0; key <= query; key = key < from ? from : key + 1) {
        const value = weight(layer, head, query, key);
        if (value !== undefined) rows.push([layer, head, query, labels[query], key, labels[key], value / 65535]);
      }
    }
  }
  return [["layer", "head", "query", "query token", "key", "key token", `attention weight ${SHARE}`], ...rows];
}
