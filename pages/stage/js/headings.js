// The small buttons at every title: a note on the panel, its files, and the window for it alone.

import { explain, explained, hideExplained } from "./explain.js";
import { fillWith } from "./fill.js";
import { stageNow } from "./now.js";
import { closeTaking, openTaking, taker } from "./take.js";

function headingButton(event) {
  const node = event.composedPath()[0];
  return node instanceof Element ? node.closest(".tools button") : null;
}

// The headings of lens pages and of matrices stand outside the stage, so the document listens. Of a pointer or a focus
// that stays within one shadow root it hears by `pointermove` and `keyup` alone.
const HEADING_ANSWERS = {
  pointermove: (event) => {
    if (event.pointerType !== "mouse" || explained?.isPinned) return;
    const button = headingButton(event);
    if (button?.matches(".explains")) {
      if (button !== explained?.button) explain(button, false);
    } else if (explained && !explained.button.matches(":focus-visible")) {
      if (!event.composedPath().includes(stageNow?.explain)) hideExplained();
    }
  },
  focusin: followFocus,
  keyup: followFocus,
  click: (event) => {
    const button = headingButton(event), pinned = explained?.isPinned ? explained.button : null;
    if (button !== taker && !event.composedPath().includes(stageNow?.taking)) closeTaking();
    if (button?.matches(".fills")) fillWith(button);
    else if (button?.matches(".takes")) openTaking(button);
    else if (button && button !== pinned) explain(button, true);
    else if (!event.composedPath().includes(stageNow?.explain)) hideExplained();
  },
};

function followFocus(event) {
  const button = headingButton(event);
  if (button?.matches(".explains:focus-visible")) {
    if (button !== explained?.button && event.key !== "Escape") explain(button, false);
  } else if (explained && !explained.isPinned && !explained.button.matches(":hover")) hideExplained();
}

export function wireHeadings(on) {
  for (const [name, answer] of Object.entries(HEADING_ANSWERS)) {
    if (on) document.addEventListener(name, answer, { passive: true });
    else document.removeEventListener(name, answer);
  }
}
