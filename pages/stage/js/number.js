// A number of the Live page, opened into its arithmetic: a click on a cell, or Enter, asks Python for it.

import { setText } from "./markup.js";
import { requestPaint, stageNow } from "./now.js";
import { send } from "./outbox.js";
import { isAlone, state } from "./store.js";

export const NUMBER = `
<dialog class="number" aria-labelledby="number-title">
  <header><h2 id="number-title"></h2>
    <button type="button" class="close" autofocus aria-label="Close" title="Close (Esc)">×</button></header>
  <p></p><p class="formula"></p><pre class="ledger" tabindex="0"></pre><pre class="source" tabindex="0"></pre>
</dialog>`;

// `opens` is { kind, hook, index } as pages/stage/actions.py has them; `name` is what the cell's box calls the number.
let numberByKey = false; // only then does closing leave the focus on the cell: after a click the keys are the stage's

export function openNumber(opens, name, byKey = false) {
  if (isAlone) return;
  numberByKey = byKey;
  state.opened = name;
  send("number", { ...opens, name });
  stageNow.parts.number.showModal();
  requestPaint();
}

// Whether it was open.
export function closeNumber() {
  const dialog = stageNow?.parts.number;
  if (!dialog?.open) return false;
  dialog.close();
  if (!numberByKey) stageNow.parts.root.activeElement?.blur();
  return true;
}

export function wireNumber({ number }) {
  number.querySelector(".close").addEventListener("click", closeNumber);
  number.addEventListener("click", (event) => {
    if (event.target === number) closeNumber();
  }); // beside what is in it
  number.addEventListener("keydown", (event) => {
    event.stopPropagation(); // the keys are the dialog's
    if (event.key === "Escape") {
      event.preventDefault();
      closeNumber();
    }
  });
}

export function paintNumber({ number }) {
  if (!number.open) return;
  const found = state.header.opened?.name === state.opened ? state.header.opened : null;
  const [says, formula, ledger, source] = number.querySelectorAll("p, pre");
  setText(number.querySelector("h2"), state.opened);
  setText(says, found ? found.says : "Computing it anew …");
  setText(formula, found?.formula ?? "");
  setText(ledger, found?.ledger ?? "");
  setText(source, found?.source ?? "");
  formula.hidden = ledger.hidden = source.hidden = !found?.ledger;
}
