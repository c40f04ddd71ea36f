// One cell of a matrix in words: below the picture, beside the pointer or the keys, aloud, and to those that it is
// grouped with.

import { spoken, tokenNodes, unmarked } from "../look/tokens.js";
import { numberText } from "./paint.js";
import { paintCursor } from "./panel.js";
import { element, nameOf } from "./read.js";

export const SHARED = "gpt2-matrix-cell"; // what a picture tells those of its group

function describe(view, [r, c]) {
  const { header, data } = view;
  const [row, column] = [nameOf(view, "row", r), nameOf(view, "column", c)];
  const hook = header.hook
    .replaceAll("{row}", () => (header.row_names || header.rows)[r])
    .replaceAll("{column}", () => (header.column_names || header.columns)[c])
    .replaceAll("{r}", r + (header.row_start ?? 0)).replaceAll("{c}", c + (header.column_start ?? 0));
  const text = header.text?.[r][c] && !header.tile ? `${spoken(header.text[r][c])} ` : "";
  const value = header.tile ? "" : text + numberText(header.scale, data[r * header.shape[1] + c]);
  const whole = (title, name) => [title, name].filter(Boolean).join(" ");
  const places = [whole(header.row_title, row), whole(header.column_title, column)];
  const names = places.join(header.square ? " → " : ", "); // rows of squares look at columns
  return { value, where: header.notes ? header.notes[r][c] : names, hook };
}

const KEYS_OF_CELLS = "Arrow keys move from cell to cell.", BAR = 52; // pixels of the window under Streamlit's bar

export function keysOf({ locks }) {
  return `${KEYS_OF_CELLS} Enter ${locks ? "locks a head" : "holds a cell"}. Esc leaves.`;
}

export function showCell(view, cell, { tip = false, speak = false, hint = "" } = {}) {
  view.cursor = cell;
  if (!view.place) return; // nothing is painted yet; the first painting shows it
  paintCursor(view);
  const shown = cell || view.chosen;
  const said = shown && shown[0] < view.place.rows && shown[1] < view.place.columns ? describe(view, shown) : null;
  const readout = said ? [said.value, said.where, said.hook].filter(Boolean).join(" · ") : "";
  view.readout.replaceChildren(...tokenNodes(readout));
  view.tip.hidden = !(tip && cell);
  if (tip && cell) {
    view.tip.replaceChildren();
    const [first, second] = said.value ? [said.value, said.where] : [said.where, ""];
    for (const [tag, text] of [["b", first], ["span", second], ["i", said.hook], ["span", hint]]) {
      if (text) element(view.tip, tag, "").append(...tokenNodes(text));
    }
    placeTip(view, cell);
  }
  if (!speak || !said || !globalThis.gpt2Stage?.say) return;
  const held = view.isPicked && isSame(cell, view.chosen) ? (view.header.locks ? "locked" : "picked") : "";
  globalThis.gpt2Stage.say(unmarked([said.value, said.where, held].filter(Boolean).join(", ")));
}

// Below the cell and inside the window, or above it where a finger covers what is below.
function placeTip({ place, plot, tip, wide, isTouch, sizes: { type } }, [row, column]) {
  const x = type * (place.x(column) + place.cellW / 2), y = type * place.y(row), high = type * place.cellH;
  const gap = isTouch ? 24 : 10, edge = plot.getBoundingClientRect().top;
  const above = y - tip.offsetHeight - gap, below = y + high + gap;
  const fitsAbove = edge + above >= BAR, fitsBelow = edge + below + tip.offsetHeight <= innerHeight;
  const left = isTouch ? x - tip.offsetWidth / 2 : x + 10;
  tip.style.left = `${Math.max(0, Math.min(left, wide * type - tip.offsetWidth))}px`;
  tip.style.top = `${(isTouch ? fitsAbove : !fitsBelow && fitsAbove) ? above : below}px`;
}

export function share(view, kind, cell) {
  if (view.header.group) {
    globalThis.dispatchEvent(new CustomEvent(SHARED, { detail: { group: view.header.group, from: view, kind, cell } }));
  }
}

export function isSame(one, other) {
  return Boolean(one && other) && one.join() === other.join();
}
