// The strip unfolded: the whole text in lines, over what lies below, so that nothing on the page moves.

import { stageNow } from "./now.js";

function isUnfolded(tokens) {
  return tokens.closest(".strip").classList.contains("open");
}

function setUnfolded(parts, isOpen) {
  const { tokens, unfold } = parts;
  tokens.closest(".strip").classList.toggle("open", isOpen);
  tokens.scrollTop = tokens.scrollLeft = 0;
  unfold.setAttribute("aria-expanded", String(isOpen));
  unfold.setAttribute("aria-label", isOpen ? "Fold the text" : "Whole text");
  unfold.title = isOpen ? "Fold the text (Esc)" : "Whole text";
  fitUnfold(parts);
}

// Esc: whether there was a text to fold.
export function foldStrip() {
  const { parts } = stageNow;
  if (!isUnfolded(parts.tokens)) return false;
  setUnfolded(parts, false);
  return true;
}

// A text that is seen whole needs no button; where the button takes room, the current token is still in view.
export function fitUnfold({ tokens, unfold, mark }) {
  unfold.classList.toggle("needless", !isUnfolded(tokens) && tokens.scrollWidth <= tokens.clientWidth);
  keepInView(tokens, mark);
}

export function wireUnfold(parts) {
  parts.unfold.addEventListener("click", () => setUnfolded(parts, !isUnfolded(parts.tokens)));
}

// The current token, and the one drawn next.
export function keepInView(tokens, mark) {
  if (!mark) return;
  if (isUnfolded(tokens)) {
    const top = mark.offsetTop - tokens.scrollTop, room = tokens.clientHeight;
    if (top < 0 || top + mark.offsetHeight > room) tokens.scrollTop = mark.offsetTop - room / 2;
    return;
  }
  const room = tokens.clientWidth;
  if (tokens.scrollWidth <= room) return;
  const end = (one) => one.offsetLeft + one.offsetWidth - tokens.scrollLeft, next = mark.nextElementSibling ?? mark;
  if (end(mark) > room * 0.85 || end(next) > room || mark.offsetLeft - tokens.scrollLeft < room * 0.15) {
    tokens.scrollLeft = mark.offsetLeft - room * 0.7;
  }
}
