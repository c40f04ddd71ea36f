// The residual stream: how long it is after each layer, and how long are the vectors that attention and MLP add.

import { layerName } from "../../look/names.js";
import { fixed, roundAbove } from "../../look/numbers.js";
import { shownAt, state, stepCount } from "./store.js";
import { mix, theme } from "./theme.js";

export const NORM_NAMES = ["hook_resid_pre", "hook_attn_out", "hook_resid_mid", "hook_mlp_out", "hook_resid_post"];
const KINDS = { 1: "attention adds", 3: "MLP adds", 4: "stream" }; // by their place among the names

// The largest norm of the run so far, at any step that has come, past the first token's, which are often far larger.
function normScale(record, layers) {
  let most = 0;
  for (let step = 0; step < stepCount(); step += 1) {
    const other = shownAt(step);
    if (!other || (other.stop === 1 && record.stop !== 1)) continue;
    for (let at = layers; at < 5 * layers; at += 1) if (other.norms[at] > most) most = other.norms[at];
  }
  return roundAbove(most);
}

export function drawResidual(surface, record, unit) {
  const { width, height } = surface;
  const layers = state.header.n_layer;
  const left = unit * 2.2, right = unit * 3, axis = unit * 1.3;
  const scale = (width - left - right) / normScale(record, layers);
  const head = unit * 0.4, pitch = (height - axis - head) / layers, bar = Math.min(pitch * 0.78, unit * 2.6);
  const every = Math.max(1, Math.ceil((unit * 1.15) / pitch));
  const norm = (kind, layer) => record.norms[kind * layers + layer];
  const layerTop = (layer) => head + (layers - 1 - layer) * pitch + (pitch - bar) / 2;
  const marked = state.lock ? state.lock.layer : -1;
  for (let layer = 0; layer < layers; layer += 1) {
    const top = layerTop(layer);
    surface.box(left, top, norm(4, layer) * scale, bar, mix(theme.panel, theme.residual, 0.2), 2);
    surface.box(left, top + bar * 0.14, norm(1, layer) * scale, bar * 0.33, theme.attention, 1);
    surface.box(left, top + bar * 0.53, norm(3, layer) * scale, bar * 0.33, theme.mlp, 1);
    if (layer % every === 0 || layer === layers - 1 && (layers - 1) % every > every / 2) {
      surface.font(unit * 0.9, { bold: layer === marked });
      surface.text(layerName(layer), 0, top + bar / 2, { colour: layer === marked ? theme.text : theme.muted });
      surface.font(unit * 0.85);
      surface.text(fixed(norm(4, layer), 1), width, top + bar / 2, { align: "right", colour: theme.muted });
    }
  }
  surface.box(left - 1, 0, 1, height - axis, theme.line);
  drawKey(surface, height - unit * 0.5, unit, [
    [theme.attention, "attention"],
    [theme.mlp, "MLP"],
    [mix(theme.panel, theme.residual, 0.2), "stream"],
  ]);
  surface.find = (x, y) => {
    const layer = layers - 1 - Math.floor((y - head) / pitch);
    if (layer < 0 || layer >= layers || y > height - axis) return null;
    const inside = y - layerTop(layer);
    const part = inside < bar * 0.5 ? 1 : 3;
    return tellNorm(layer, x < left + norm(part, layer) * scale ? part : 4);
  };
  const tellNorm = (layer, kind) => {
    const [before, middle, after] = [0, 2, 4].map((at) => fixed(norm(at, layer), 2));
    return {
      lines: [
        `norm ${fixed(norm(kind, layer), 2)}`,
        `before ${before} · + attention ${middle} · + MLP ${after}`,
        `‖blocks.${layer}.${NORM_NAMES[kind]}[${record.stop - 1}]‖`,
      ],
      where: `layer ${layer}, ${KINDS[kind]}`,
      opens: { kind: "norm", hook: `blocks.${layer}.${NORM_NAMES[kind]}`, index: [record.stop - 1] },
    };
  };
  const kinds = Object.keys(KINDS).map(Number), inset = { 1: [0.14, 0.33], 3: [0.53, 0.33], 4: [0, 1] };
  surface.cells = {
    rows: layers,
    columns: () => kinds.length,
    start: [layers - 1 - Math.max(0, marked), 0],
    box: (row, column) => {
      const kind = kinds[column], layer = layers - 1 - row, [from, part] = inset[kind];
      return [left, layerTop(layer) + from * bar, norm(kind, layer) * scale, part * bar];
    },
    tell: (row, column) => tellNorm(layers - 1 - row, kinds[column]),
  };
}

// One line; where it would not fit, beside an open sidebar, all of it is smaller.
function drawKey(surface, y, unit, entries) {
  surface.font(unit * 0.85);
  const names = entries.reduce((sum, [, name]) => sum + surface.g.measureText(name).width, 0);
  const size = unit * Math.min(1, surface.width / (names + unit * (1.9 * entries.length - 0.8)));
  let x = 0;
  surface.font(size * 0.85);
  for (const [colour, name] of entries) {
    surface.box(x, y - size * 0.35, size * 0.7, size * 0.7, colour, 2);
    surface.text(name, x + size, y, { colour: theme.muted });
    x += size * 1.9 + surface.g.measureText(name).width;
  }
}
