// The locked head: the same on every page. It lives here alone. Python is told of it as of the cursor, and the pictures
// of heads on the page hear of it at once.

const LOCK_CHANGED = "gpt2-lock", LET_GO = "gpt2-let-go"; // pages/matrix/matrix.js and pages/frame/badge.js listen

function setLock(lock) {
  state.lock = lock;
  tellView();
  requestPaint();
  dispatchEvent(new CustomEvent(LOCK_CHANGED));
}

function isLocked(layer, head) { return state.lock?.layer === layer && state.lock.head === head; }

function lockHead(layer, head) { if (!isLocked(layer, head)) setLock({ layer, head }); }

function unlockHead() { if (state.lock) setLock(null); }

// A click on a head: it locks the head, and the second one lets it go.
function toggleHead(layer, head) { setLock(isLocked(layer, head) ? null : { layer, head }); }

function moveLayer(by) {
  const record = shownAt(state.cursor);
  if (!record) return;
  const { layer, head } = shownHead(record);
  lockHead(Math.min(state.header.n_layer - 1, Math.max(0, layer + by)), head);
}

// Esc lets go what was taken last: an offer, an open dialog, menu or note, the unfolded text, the window that a panel
// fills, a draft (by two presses), the watched position, then a cell or token picked on the page, then the head.
function letGo() {
  const last = [
    closeOffer, closeHelp, closeNumber, endTour, closePopover, closeChecks, closeTaking, hideExplained, foldStrip,
    unfill, discardTwice, unwatch,
  ];
  if (last.some((letsGo) => letsGo())) return;
  if (dispatchEvent(new CustomEvent(LET_GO, { cancelable: true }))) unlockHead();
}

function paintLock(parts, view) {
  parts.unlock.hidden = !state.lock || view === "live"; // there the panel of the head has it
  if (state.lock) setText(parts.unlock, `${headName(state.lock.layer, state.lock.head)} locked · Esc`);
}
