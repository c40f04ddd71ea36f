// The badge of the run on the stage: a check mark and how far its numbers are off, and a list of what was checked.

import { tokenNodes } from "../../look/tokens.js";
import { setText } from "./markup.js";
import { stageNow } from "./now.js";
import { isPending, send } from "./outbox.js";
import { state, stepCount } from "./store.js";

export function wireChecks({ checked, checks, status }) {
  checked.addEventListener("click", () => (checks.hidden ? openChecks() : closeChecks()));
  checks.querySelector("button").addEventListener("click", () => send("read_whole"));
  status.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !closeChecks()) return;
    event.stopPropagation();
    checked.focus();
  });
}

function openChecks() {
  const { checks, checked } = stageNow.parts;
  checks.hidden = false;
  checked.setAttribute("aria-expanded", "true");
}

// Whether it was open.
export function closeChecks() {
  const { checks, checked } = stageNow?.parts ?? {};
  if (!checks || checks.hidden) return false;
  checks.hidden = true;
  checked.setAttribute("aria-expanded", "false");
  return true;
}

// A run is checked once it rests for a while, so that whatever else is asked for at its end goes first.
const CHECK_MS = 400;
let checkTimer = 0, checkOf = ""; // the newest step that is to be checked
export function askForChecks({ are_due: areDue }) {
  const of = areDue ? `${state.run} ${stepCount()}` : "";
  if (of === checkOf && checkTimer) return; // another message of the same step
  clearTimeout(checkTimer);
  checkOf = of;
  checkTimer = 0;
  if (areDue && !isPending("check")) {
    checkTimer = setTimeout(() => {
      checkTimer = 0;
      send("check");
    }, CHECK_MS);
  }
}

// A run that is under way has none.
export function paintChecks({ checked, checks }) {
  const { badge, failed, rows, can_read_whole: canRead } = state.header.checks;
  checked.hidden = !badge;
  if (!badge) closeChecks();
  setText(checked.lastElementChild, badge);
  checked.classList.toggle("wrong", failed);
  const read = checks.querySelector("button"), isReading = isPending("read_whole");
  read.hidden = !canRead;
  read.disabled = isReading;
  setText(read, isReading ? "Reading it at once …" : "Read the whole text at once");
  const list = checks.querySelector("dl"), key = JSON.stringify(rows);
  if (list.dataset.filled === key) return;
  list.dataset.filled = key;
  list.replaceChildren(...rows.flatMap(({ name, number, says, state: how }) => {
    const [title, line, note] = ["dt", "dd", "dd"].map((tag) => document.createElement(tag));
    title.textContent = name;
    line.textContent = number;
    line.className = how;
    note.append(...tokenNodes(says));
    return [title, line, note];
  }));
}
