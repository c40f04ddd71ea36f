// One tab stop for a picture of many cells. Tab enters its cells, and so does Enter after a click: then arrows, Home
// and End move a cursor among them, Enter and Space press the cell, and Esc leaves them. Otherwise all keys are the
// stage's.

import { cellAfter, nearestCell } from "../../look/cells.js";
import { filled } from "./fill.js";

export class Roving {
  // What the picture tells of itself and does:
  //   cells()         { rows, columns(row), start: [row, column] }, or null while it has none
  //   show(cell, how) put the cursor on a cell, or take it away if null; `how` is "entered", "moved" or "redrawn"
  //   press(cell)     press a cell as a click does; whether there was anything to press
  //   release()       let go what was pressed last; whether there was anything to let go
  constructor(element, { cells, show, press = (_cell) => false, release = (_cell) => false }) {
    this.cells = cells;
    this.show = show;
    this.press = press;
    this.release = release;
    this.cursor = this.last = null; // where it is, and where it was last
    this.isPointed = false; // whether a pointer has given the focus
    element.tabIndex = 0;
    element.addEventListener("pointerdown", () => {
      this.isPointed = true;
      this.leave();
      this.last = null;
    });
    element.addEventListener("focus", () => {
      if (!this.isPointed) this.enter();
    });
    element.addEventListener("blur", () => {
      if (element.getRootNode().activeElement === element) return; // the whole window has lost the focus
      this.isPointed = false;
      this.leave();
    });
    element.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || !this.answer(event.key)) return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  enter() {
    this.put((this.last && nearestCellOf(this.cells(), this.last)) || this.cells()?.start, "entered");
  }

  leave() {
    this.put(null, "moved");
  }

  put(cell, how) {
    if (!cell && !this.cursor) return;
    this.cursor = cell || null;
    if (cell) this.last = cell;
    this.show(this.cursor, how);
  }

  // Whether a key was the picture's own.
  answer(key) {
    const cells = this.cells();
    if (!cells) return false;
    if (!this.cursor) {
      if (key === "Enter") this.enter();
      return key === "Enter";
    }
    if (key === "Escape") {
      if (filled) return false; // the window is given back first
      if (!this.release(this.cursor)) this.leave();
      return true;
    }
    if (key === "Enter" || key === " ") return this.press(this.cursor) || key === "Enter";
    const to = cellAfter(key, this.cursor, cells.rows, cells.columns);
    if (to) this.put(to, "moved");
    return Boolean(to);
  }

  // The picture has been drawn anew, and may have fewer cells.
  redraw() {
    if (this.cursor) this.put(nearestCellOf(this.cells(), this.cursor), "redrawn");
  }
}

function nearestCellOf(cells, cell) {
  return cells && nearestCell(cell, cells.rows, cells.columns);
}
