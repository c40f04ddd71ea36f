// Keys, wherever the focus is: Space, arrows, Home, End, Esc, F, P and ?. What has the focus keeps the keys that it has
// a use for.

import { goTo, lastStep } from "./cursor.js";
import { letGo } from "./escape.js";
import { fillHere } from "./fill.js";
import { openHelp } from "./help.js";
import { moveLayer } from "./lock.js";
import { stageNow } from "./now.js";
import { forward, togglePlay } from "./playback.js";
import { toggleSize } from "./size.js";
import { state } from "./store.js";

const KEYS = {
  " ": togglePlay,
  ArrowRight: forward,
  ArrowLeft: () => goTo(state.cursor - 1),
  ArrowUp: () => moveLayer(1),
  ArrowDown: () => moveLayer(-1),
  Home: () => goTo(0),
  End: () => goTo(lastStep()),
  Escape: letGo,
  f: fillHere,
  p: toggleSize,
  "?": openHelp,
};

const TYPED_IN = "textarea, [contenteditable=true], input:not([type=range], [type=checkbox], [type=radio])";
const OPENED = "[role=listbox], [role=menu], [aria-expanded=true]:is(input, select)";
const CHOSEN_FROM = "select, [role=combobox], [role=radiogroup], [role=tablist]";
const SLID = "input[type=range], [role=slider]";
const PRESSED = "button, summary, input[type=checkbox], [role=button], [role=switch]";

function isKept(node, key) {
  const { scrubber, tokens, helpButton } = stageNow.parts;
  if (node === scrubber || node === tokens) return false; // their arrows are the stage's, or have been used
  if (node === helpButton) return key === " " && node.matches(":focus-visible"); // not after a click
  if (node.matches(OPENED)) return true;
  if (node.matches(CHOSEN_FROM)) return key !== "Escape";
  if (node.matches(TYPED_IN)) return true;
  return node.matches(SLID) ? key !== " " && key !== "Escape" : key === " " && node.matches(PRESSED);
}

export function onKey(event) {
  const action = KEYS[event.key];
  if (!action || !stageNow || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.composedPath().some((node) => node instanceof Element && isKept(node, event.key))) return;
  if ((event.shiftKey && event.key !== "?") || !state.header) return;
  event.preventDefault();
  event.stopPropagation();
  action();
}

// After a click of the mouse the keys are the stage's again: a link, a button, a switch or a closed list gives up the
// focus, and so does the page itself, which would wear a ring from the next key on. A field, a slider, an open dialog
// and a picture, which holds a value up while it has the focus, keep it.
const GIVES_UP = `${PRESSED}, a, main, input[type=radio], [role=radio], [role=tab]`;

export function giveUpFocus(event) {
  if (!stageNow || !event.detail) return; // a key has pressed it
  if (event.composedPath().includes(stageNow.parts.help)) return; // it gives the focus back to its button
  const isChoice = event.composedPath().some((node) => node instanceof Element && node.matches("[role=option]"));
  setTimeout(() => {
    let active = /** @type {HTMLElement} */ (document.activeElement);
    while (active?.shadowRoot?.activeElement) active = /** @type {HTMLElement} */ (active.shadowRoot.activeElement);
    if (!active || active.closest("[role=menu], [role=dialog], dialog")) return;
    if (isChoice || active.matches(GIVES_UP)) active.blur();
  });
}
