// Which cell of a matrix is picked: by a person, by Python, by the lock on the stage or by the watched position.

import { isSame, share, showCell } from "./cell.js";

const SOON_MS = 500, LATER_MS = 1500, LONGEST_MS = 8000; // how long an answer to a pick is waited for, longer each time

// The frame of a new picture: as Python says, or where a person has put it if Python is not told of picks here.
export function takePick(view, before) {
  const { header } = view;
  if (!before) view.follows = header.follows ?? undefined; // so it need not be picked again
  if (header.selected) {
    [view.chosen, view.isPicked] = [header.selected, header.is_picked];
  } else if (header.is_picked) { // by a chart, of what this picture has no cell for
    [view.chosen, view.isPicked] = [null, true];
  } else if (view.chosen) {
    const row = view.chosen[0] + (before.row_start ?? 0) - (header.row_start ?? 0);
    view.chosen = row >= 0 && row < header.rows.length ? [row, view.chosen[1]] : null;
    view.isPicked = view.isPicked && Boolean(view.chosen);
  }
  view.badge.textContent = header.locks ? "locked · Esc" : "picked · Esc";
  view.badge.title = header.locks ? "Unlock this head (Esc)" : "Let this cell go (Esc)";
  view.badge.hidden = !view.isPicked;
  view.root.classList.toggle("locks", header.locks);
  followLock(view);
}

// The frame stands on the locked head, if this picture shows heads; it moves at once, whatever Python knows by then.
export function followLock(view) {
  if (!view.header.locks) return;
  const lock = globalThis.gpt2Stage?.state?.lock;
  view.isPicked = Boolean(lock);
  if (lock) view.chosen = [view.header.rows.length - 1 - lock.layer, lock.head];
  view.badge.hidden = !view.isPicked;
}

// A picture whose columns alone are positions has the watched one picked, as if by a click, and lets it go with it.
export function followWatch(view) {
  const { header } = view, watched = globalThis.gpt2Stage?.state?.watched?.position;
  if (!header.selectable || header.column_start === null || header.row_start !== null) return;
  const column = (watched ?? -1) - header.column_start, before = view.follows;
  if (watched === before || (watched !== undefined && (column < 0 || column >= header.columns.length))) return;
  view.follows = watched;
  const isOthers = view.isPicked && view.chosen[1] + header.column_start !== before;
  if (watched !== undefined) pick(view, [view.chosen ? view.chosen[0] : 0, column]);
  else if (!isOthers) letGo(view);
  else return;
  askAgain(view, { at: view.isPicked ? positionOf(view, view.chosen) : null, wait: SOON_MS });
}

// A pick is told by position: a window that moves must not move what was picked.
function positionOf({ header }, cell) {
  return cell && [cell[0] + (header.row_start ?? 0), cell[1] + (header.column_start ?? 0)];
}

// While a page is being drawn Streamlit may take a pick and not draw the page for it: tell it until the frame is there.
function askAgain(view, wanted) {
  view.wanted = wanted;
  setTimeout(() => {
    const { at, wait } = wanted;
    if (view.wanted !== wanted || wait > LONGEST_MS || !view.root.isConnected) return;
    view.send(at);
    askAgain(view, { at, wait: 2 * wait });
  }, wanted.wait);
}

// What has been answered is not asked again, though a chart may pick another cell since.
export function takeAnswer(view) {
  const { selected, is_picked: isPicked } = view.header, at = view.wanted?.at;
  if (at ? isPicked && isSame(at, positionOf(view, selected)) : !isPicked) view.wanted = null;
}

// A cell that is let go stays in its frame until Python says which cell comes instead.
export function pick(view, cell) {
  if (cell || !view.header.selected) view.chosen = cell;
  view.isPicked = Boolean(cell);
  view.badge.hidden = !view.isPicked;
  if (!view.header.selectable) return;
  const at = positionOf(view, cell);
  view.send(at);
  askAgain(view, { at, wait: LATER_MS });
}

export function letGo(view) {
  if (view.header.locks) return globalThis.gpt2Stage?.unlockHead?.();
  view.pinned = null;
  if (view.header.selectable || view.header.group) pick(view, null);
  showCell(view, null);
  share(view, "pick", null);
}

export function press(view, cell) {
  const { header } = view;
  if (header.locks) {
    globalThis.gpt2Stage?.toggleHead?.(header.rows.length - 1 - cell[0], cell[1]);
    view.pinned = view.isTouch ? cell : null; // no pointer rests on it to hold its value up
    if (view.isTouch || view.entered) showCell(view, cell, { tip: true, speak: true });
    return;
  }
  const isUnread = view.isTouch && view.tip.hidden; // a finger may want to read what another picture has picked
  if (!isUnread && isSame(cell, view.isPicked ? view.chosen : view.pinned)) return letGo(view);
  view.pinned = cell;
  if (header.selectable || header.group) pick(view, cell);
  showCell(view, cell, { tip: true, speak: true });
  share(view, "pick", cell);
}
