// The dialog behind “?”: what is on the page, the keys, the signs and the colours.

import { hideExplained } from "./explain.js";
import { stageNow } from "./now.js";
import { closePopover } from "./settings.js";
import { toggleSize } from "./size.js";
import { isAlone } from "./store.js";

const HELP_KEYS = [
  ["Space", isAlone ? "plays or pauses" : "plays, pauses, or runs a new prompt"],
  ["← →", "one step back, one step on"],
  ["Home End", "the first step, the last step"],
  ["↑ ↓", "one layer up, one layer down"],
  ["Esc", "lets go what was opened or picked last, then the locked head"],
  ["F", "the panel under the pointer fills the window"],
  ["P", "presenter size, to be read from the last row"],
  ["?", "this page"],
];
const HELP_SIGNS = [
  ["·", "a blank"],
  ["↵", "the end of a line"],
  ["⇥", "a tab"],
  ["⟨c3⟩", "a byte that is no whole character by itself"],
];
const HELP_COLOURS = [
  ["attention", "attention"],
  ["mlp", "MLP"],
  ["token", "token embedding"],
  ["position", "position"],
  ["residual", "residual stream"],
  ["sampling", "output and sampling"],
  ["watched", "watched token"],
];

const listOf = (pairs, tag) =>
  pairs.map(([sign, says]) => `<dt><${tag}>${sign}</${tag}></dt><dd>${says}</dd>`).join("");
export const HELP = `
<dialog class="help" aria-labelledby="help-title">
  <header><h2 id="help-title">What am I looking at?</h2>
    <button type="button" class="take">Take the tour</button>
    <button type="button" class="size" aria-pressed="false">Presenter size</button>
    <button type="button" class="close" autofocus aria-label="Close" title="Close (Esc)">×</button></header>
  <div class="columns">
    <dl class="shown" aria-label="The panels of this page"></dl>
    <div><h3>Keys</h3><dl>${listOf(HELP_KEYS, "kbd")}</dl></div>
    <div><h3>Signs</h3><dl>${listOf(HELP_SIGNS, "code")}
      <dt><i class="hatch"></i></dt><dd>hatched: what a filter or the mask removed</dd></dl></div>
    <div><h3>Colours</h3><dl>${
  HELP_COLOURS
    .map(([concept, says]) => `<dt><i class="swatch" style="background: var(--${concept})"></i></dt><dd>${says}</dd>`)
    .join("")
}</dl></div>
  </div>
</dialog>`;

export function openHelp() {
  const { help } = stageNow.parts;
  if (help.open) return;
  closePopover();
  hideExplained();
  fillShown(help.querySelector(".shown"));
  help.returnValue = "";
  help.showModal();
}

// Whether it was open. The focus goes back to the button, unless it is closed for the tour.
export function closeHelp(what = "") {
  if (!stageNow?.parts.help.open) return false;
  stageNow.parts.help.close(what);
  return true;
}

// The headings that are on the page now, in their order.
function fillShown(list) {
  list.replaceChildren(
    ...headingsOn(document).flatMap(({ title, panel }) => {
      const term = document.createElement("dt"), line = document.createElement("dd");
      term.textContent = title;
      line.textContent = SHOWN[panel].shows;
      return [term, line];
    }),
  );
}

function headingsOn(root) {
  return [...root.querySelectorAll("*")].flatMap((node) => {
    if (node.shadowRoot) return headingsOn(node.shadowRoot);
    const panel = node.matches(".explains") && node.checkVisibility() ? node.dataset.panel : "";
    return panel ? [{ panel, title: node.closest(".tools").previousElementSibling.textContent.trim() }] : [];
  });
}

export function wireHelp({ help, helpButton, size: sizeButton }) {
  helpButton.addEventListener("click", openHelp);
  sizeButton.addEventListener("click", toggleSize);
  help.querySelector(".close").addEventListener("click", () => closeHelp());
  help.addEventListener("click", (event) => {
    const area = help.getBoundingClientRect(), { clientX: x, clientY: y } = event;
    const isInside = x >= area.left && x <= area.right && y >= area.top && y <= area.bottom;
    if (event.target === help && !isInside) closeHelp();
  });
  help.addEventListener("keydown", (event) => {
    event.stopPropagation(); // the keys are the dialog's
    if (event.key === "Escape" || event.key === "?") {
      event.preventDefault();
      closeHelp();
    } else if (event.key === "p") toggleSize();
  });
  help.addEventListener("close", () => {
    if (help.returnValue !== "tour") helpButton.focus();
  });
}
