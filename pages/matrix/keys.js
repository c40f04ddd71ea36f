// The keys of a matrix, which is one tab stop. Tab enters its cells, and so does Enter after a click; until then all
// other keys are the stage's. `view.entered` is the cell that they have reached.

import { cellAfter } from "../look/cells.js";
import { keysOf, share, showCell } from "./cell.js";
import { letGo, press } from "./picked.js";

export function move(view, cell, how) {
  showCell(view, cell, how);
  share(view, "hover", cell);
}

function moveKeys(view, cell, hint) {
  [view.pinned, view.entered, view.isTouch] = [null, cell, false];
  move(view, cell, { tip: true, speak: true, hint });
  view.tip.scrollIntoView({ block: "nearest", inline: "nearest" }); // and with it the cell beside it
}

export function enter(view) {
  if (view.place) moveKeys(view, view.chosen || [view.place.rows - 1, 0], keysOf(view.header));
}

export function leave(view) {
  view.pinned = view.entered = null;
  move(view, null);
}

// Whether Esc was the picture's: what was held goes first, then the keys leave the cells.
function escape(view) {
  const { entered } = view;
  const isHeld = view.pinned || (view.isPicked && (entered || !view.header.locks));
  if (isHeld) {
    letGo(view);
    if (entered) moveKeys(view, entered);
  } else if (entered) {
    leave(view);
  }
  return Boolean(isHeld || entered);
}

// Whether a key was the picture's own.
function answer(view, key) {
  if (key === "Escape") return !globalThis.gpt2Stage?.isFilled?.() && escape(view); // a filled window goes first
  if (!view.entered) {
    if (key === "Enter") enter(view);
    return key === "Enter";
  }
  const { rows, columns } = view.place, to = cellAfter(key, view.entered, rows, () => columns);
  if (to) moveKeys(view, to);
  else if (key === "Enter" || key === " ") press(view, view.entered);
  else return false;
  return true;
}

export function onKey(view, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || !answer(view, event.key)) return;
  event.preventDefault();
  event.stopPropagation();
}
