// What a panel shows and what its words mean, beside the small button at its title: on hover, focus and tap.

import { place } from "./float.js";
import { setText } from "./markup.js";
import { stageNow } from "./now.js";

export let explained = null; // { button, isPinned }

export function explain(button, isPinned) {
  const { shows, terms } = SHOWN[button.dataset.panel];
  const note = stageNow.explain;
  const lines = terms.map((term) => {
    const line = document.createElement("p"), name = document.createElement("b");
    name.textContent = term;
    line.append(name, ` ${TERMS[term]}`);
    return line;
  });
  const first = document.createElement("p");
  first.textContent = shows;
  note.replaceChildren(first, ...lines);
  if (explained && explained.button !== button) explained.button.setAttribute("aria-expanded", "false");
  explained = { button, isPinned };
  button.setAttribute("aria-expanded", "true");
  if (!note.matches(":popover-open")) note.showPopover();
  place(note, button.getBoundingClientRect());
  setText(stageNow.aloud, note.textContent);
}

// Whether there was something to hide that a person had asked for: a note that came up under a resting pointer, because
// the page moved, takes no key from others.
export function hideExplained() {
  if (!explained) return false;
  const { button, isPinned } = explained;
  button.setAttribute("aria-expanded", "false");
  explained = null;
  if (stageNow?.explain.matches(":popover-open")) stageNow.explain.hidePopover();
  return isPinned || button.matches(":focus-visible");
}
