// Take away: the menu at a panel's title that makes a file of its picture or its numbers, in the browser, at a press.

import { csv } from "./csv.js";
import { focusedNode } from "./fill.js";
import { place } from "./float.js";
import { stageNow } from "./now.js";
import { chartUnder, pictureOf, stillFile } from "./still.js";
import { state } from "./store.js";

const CLICKED = / ?(Click|Point at) [^.]*\./g; // nobody does on a still
export let taker = null; // the button whose menu is open

export function wireTaking(stage) {
  stage.taking = stage.root.querySelector(".taking");
  const items = [...stage.taking.querySelectorAll("button")];
  stage.taking.addEventListener("keydown", (event) => {
    const at = items.indexOf(event.composedPath()[0]), step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const next = { Home: 0, End: items.length - 1 }[event.key] ?? (step && (at + step + items.length) % items.length);
    if (event.key === "Tab") return closeTaking();
    if (next !== undefined) items[next].focus();
    if (event.key === "Escape") closeTaking();
    if (next !== undefined || event.key === "Escape") event.preventDefault();
    event.stopPropagation(); // the keys are the menu's
  });
  for (const item of items) item.addEventListener("click", () => take(item.dataset.kind));
}

export function openTaking(button) {
  const { taking } = stageNow, isOpen = taker === button;
  closeTaking();
  if (isOpen) return;
  taker = button;
  button.setAttribute("aria-expanded", "true");
  taking.querySelector("p").hidden = true;
  taking.showPopover();
  place(taking, button.getBoundingClientRect());
  taking.querySelector("button").focus({ preventScroll: true });
}

// Whether it was open; if the focus is in it, it goes back to where it was opened.
export function closeTaking() {
  if (!taker) return false;
  const button = taker, taking = stageNow?.taking;
  taker = null;
  button.setAttribute("aria-expanded", "false");
  if (taking?.contains(focusedNode())) button.focus({ preventScroll: true });
  if (taking?.matches(":popover-open")) taking.hidePopover();
  return true;
}

async function take(kind) {
  const button = taker, refused = stageNow.taking.querySelector("p");
  try {
    const picture = await pictureOf(button, kind), name = `${sourceName(button.dataset.panel)}.${kind}`;
    if (kind === "csv" && picture.press) {
      picture.press();
      closeTaking();
      return;
    }
    if (kind === "csv") return keepFile(new Blob([csv(picture.table())], { type: "text/csv" }), name);
    keepFile(await stillFile(kind, picture, wordsOf(button)), name);
  } catch (error) {
    Object.assign(refused, { textContent: error.message, hidden: false });
  }
}

function keepFile(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // a browser may ask where to put it
  closeTaking();
}

// A file's name: the picture, its step and the model.
function sourceName(panel) {
  const model = state.header.run_model.split(/[^\w.-]+/).filter(Boolean).join("-").slice(-40);
  return `gpt2-${panel.replaceAll(".", "-")}-step-${state.cursor}-${model}`;
}

function wordsOf(button) {
  const head = button.closest(".tools").previousElementSibling, section = button.closest("section");
  const said = section?.querySelector(".says") ?? button.closest(".matrix")?.querySelector(".caption");
  const sentence = said ? said.textContent : saidAbove(chartUnder(button), button);
  return {
    title: head.textContent.trim(),
    sentence: sentence.replace(CLICKED, ""),
    source: `GPT-2 under glass · ${state.header.run_model} · step ${state.cursor}`,
  };
}

// The sentences between a heading on a page and its chart.
function saidAbove(chart, button) {
  const isBetween = (node) => {
    const isAfter = (from, to) => from.compareDocumentPosition(to) & Node.DOCUMENT_POSITION_FOLLOWING;
    return isAfter(button, node) && isAfter(node, chart);
  };
  const said = [...document.querySelectorAll('[data-testid="stText"], [data-testid="stMarkdown"]')];
  return said.filter(isBetween).map((node) => node.textContent.trim()).join(" ");
}
