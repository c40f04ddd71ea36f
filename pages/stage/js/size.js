// How large the type is: as large as the window allows at a desk, or a presenter's, to be read from the last row.
//
// The stage takes it at once, as do Streamlit's own texts and the matrices, which follow the document's letters; Python
// is told of it and draws the charts anew.

import { stageNow } from "./now.js";
import { send } from "./outbox.js";

// CSS pixels; nothing is written smaller.
export const LEAST_TEXT = 11;
export const LEAST_NARROW = 12;
export const LEAST_LARGE = 20;
export const LARGE_UNIT = 22;
const LARGE_ROOT = 27; // the stage's letters, and those that Streamlit's are shares of
const LARGE_TYPE = 1.82; // how much larger a matrix is drawn: its smallest letters have 11 pixels
const NARROW = 800; // a stage less wide than this stacks its panels, and knows one size
const SIZE_KEPT = "gpt2-size";

export const size = { isLarge: false, filled: "", told: "normal" };
try {
  size.isLarge = sessionStorage.getItem(SIZE_KEPT) === "large";
} catch { /* the browser lets no page keep it */ }

export function toggleSize() {
  size.isLarge = !size.isLarge;
  try {
    sessionStorage.setItem(SIZE_KEPT, size.isLarge ? "large" : "normal");
  } catch { /* as above */ }
  stageNow?.onResize();
}

// Whether the type is a presenter's now: it is in a panel that fills the window, too.
export function isLarge() {
  return innerWidth >= NARROW && (size.isLarge || Boolean(size.filled));
}

export function wearSize(stage) {
  const { style } = document.documentElement, large = isLarge();
  style.fontSize = large ? `${LARGE_ROOT}px` : "";
  style.setProperty("--least", `${large ? LEAST_LARGE : innerWidth < NARROW ? LEAST_NARROW : LEAST_TEXT}px`);
  style.setProperty("--type", String(large ? LARGE_TYPE : 1));
  document.documentElement.classList.toggle("gpt2-large", large);
  stage.root.classList.toggle("large", large);
  if (stage.parts.size) stage.parts.size.setAttribute("aria-pressed", String(size.isLarge));
  tellSize();
}

// Charts come from Python; only a lens page has some.
function tellSize() {
  const values = { large: isLarge(), filled: size.filled, tall: size.filled ? innerHeight : 0 };
  const key = JSON.stringify(values);
  if (size.told === key || (size.told === "normal" && !values.large)) return;
  size.told = key;
  send("size", values);
}
