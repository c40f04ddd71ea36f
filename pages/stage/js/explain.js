// What a panel shows and what its words mean, beside the small button at its title: on hover, focus and tap.

let explained = null; // { button, isPinned }

function explain(button, isPinned) {
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

function place(note, at) {
  const { offsetWidth: width, offsetHeight: height } = note;
  const below = at.bottom + 4, above = at.top - height - 4; // no gap, so that the pointer can go over to it
  note.style.left = `${Math.max(8, Math.min(at.left - 12, innerWidth - width - 8))}px`;
  note.style.top = `${below + height <= innerHeight - 8 || above < 8 ? below : above}px`;
}

// Whether there was something to hide that a person had asked for: a note that came up under a resting pointer, because
// the page moved, takes no key from others.
function hideExplained() {
  if (!explained) return false;
  const { button, isPinned } = explained;
  button.setAttribute("aria-expanded", "false");
  explained = null;
  if (stageNow?.explain.matches(":popover-open")) stageNow.explain.hidePopover();
  return isPinned || button.matches(":focus-visible");
}

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

function wireHeadings(on) {
  for (const [name, answer] of Object.entries(HEADING_ANSWERS)) {
    if (on) document.addEventListener(name, answer, { passive: true });
    else document.removeEventListener(name, answer);
  }
}
