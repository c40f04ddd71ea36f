// The locked head: the same on every page. It lives here alone. Python is told of it as of the cursor, and the pictures
// of heads on the page hear of it at once.

import { headName } from "../../look/names.js";
import { tellView } from "./cursor.js";
import { setText } from "./markup.js";
import { requestPaint } from "./now.js";
import { shownHead } from "./rest.js";
import { shownAt, state } from "./store.js";

const LOCK_CHANGED = "gpt2-lock"; // pages/matrix/matrix.js listens

export function setLock(lock) {
  state.lock = lock;
  tellView();
  requestPaint();
  dispatchEvent(new CustomEvent(LOCK_CHANGED));
}

export function isLocked(layer, head) {
  return state.lock?.layer === layer && state.lock.head === head;
}

export function lockHead(layer, head) {
  if (!isLocked(layer, head)) setLock({ layer, head });
}

export function unlockHead() {
  if (state.lock) setLock(null);
}

// A click on a head: it locks the head, and the second one lets it go.
export function toggleHead(layer, head) {
  setLock(isLocked(layer, head) ? null : { layer, head });
}

export function moveLayer(by) {
  const record = shownAt(state.cursor);
  if (!record) return;
  const { layer, head } = shownHead(record);
  lockHead(Math.min(state.header.n_layer - 1, Math.max(0, layer + by)), head);
}

export function paintLock(parts, view) {
  parts.unlock.hidden = !state.lock || view === "live"; // there the panel of the head has it
  if (state.lock) setText(parts.unlock, `${headName(state.lock.layer, state.lock.head)} locked · Esc`);
}
