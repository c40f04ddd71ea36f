// The strip unfolded: the whole text in lines, over what lies below, so that nothing on the page moves.

function isUnfolded(tokens) { return tokens.closest(".strip").classList.contains("open"); }

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
function foldStrip() {
  const { parts } = stageNow;
  if (!isUnfolded(parts.tokens)) return false;
  setUnfolded(parts, false);
  return true;
}

// A text that is seen whole needs no button; where the button takes room, the current token is still in view.
function fitUnfold({ tokens, unfold, mark }) {
  unfold.classList.toggle("needless", !isUnfolded(tokens) && tokens.scrollWidth <= tokens.clientWidth);
  keepInView(tokens, mark);
}

function wireUnfold(parts) {
  parts.unfold.addEventListener("click", () => setUnfolded(parts, !isUnfolded(parts.tokens)));
}
