// A panel that fills the window: on the stage a section, on a lens page the bordered box around a heading.

import { hideExplained } from "./explain.js";
import { stageNow } from "./now.js";
import { size } from "./size.js";

export const FILLED_TYPE = 1.25; // its letters, to those of a presenter's page
const BOX = '[data-testid="stVerticalBlock"]';
const BESIDE = 290; // what a matrix needs above and below its picture: heading, caption, legend's words and margins
const MARGINS = 100; // what it needs there if its words stand beside the picture
export let filled = null; // { box, button }

// The box that a heading's button is in, on the stage or on the page around it.
function boxOf(button) {
  const section = button.closest("section");
  if (section) return section;
  let node = button;
  while (node.getRootNode() instanceof ShadowRoot) node = node.getRootNode().host;
  if (node !== button) return node.closest(BOX); // a matrix, which may stand in a box with others
  for (let box = node.closest(BOX); box; box = box.parentElement.closest(BOX)) {
    if (parseFloat(getComputedStyle(box).borderTopWidth) > 0) return box;
  }
  return null;
}

export function fillWith(button) {
  if (filled) return unfill();
  const box = boxOf(button);
  if (!box) return false;
  filled = { box, button };
  size.filled = button.dataset.panel;
  box.classList.add("filled");
  document.documentElement.classList.add("gpt2-filled");
  changeFill(button, true);
  return true;
}

// Whether a panel has given the window back.
export function unfill() {
  if (!filled) return false;
  const { box, button } = filled;
  filled = null;
  size.filled = "";
  box.classList.remove("filled");
  document.documentElement.classList.remove("gpt2-filled");
  changeFill(button, false);
  box.scrollIntoView({ block: "nearest" });
  return true;
}

function changeFill(button, isOn) {
  fitFill();
  const name = isOn ? "Back to the page" : "Fill the window";
  button.setAttribute("aria-label", name);
  button.title = `${name} (${isOn ? "Esc" : "F"})`;
  hideExplained();
  stageNow?.onResize();
}

// How high a picture may be in the window as it is now.
export function fitFill() {
  const { style } = document.documentElement;
  for (const [name, kept] of Object.entries({ "--fill-tall": BESIDE, "--fill-whole": MARGINS })) {
    style.setProperty(name, filled ? `${innerHeight - kept}px` : "");
  }
}

// A page that is left, or drawn anew without the panel, takes it along.
export function tendFill() {
  if (filled && !(filled.box.isConnected && filled.button.isConnected)) unfill();
}

// F: the panel under the pointer, or with the focus, or the one that fills the window now.
export function fillHere() {
  if (filled) return unfill();
  const hovered = [...document.querySelectorAll(":hover")].pop() ?? null;
  return fillFrom(deepest(hovered, ":hover")) || fillFrom(focusedNode());
}

function deepest(node, selector) {
  let found = node;
  while (found?.shadowRoot) {
    const inner = [...found.shadowRoot.querySelectorAll(selector)].pop();
    if (!inner) break;
    found = inner;
  }
  return found;
}

function fillFrom(node) {
  for (let at = node; at; at = at.parentElement ?? at.getRootNode().host) {
    const button = at.matches?.(`section, .matrix, ${BOX}`) && at.querySelector(".fills");
    if (button) return fillWith(button);
  }
  return false;
}

export function focusedNode() {
  let active = document.activeElement;
  while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
  return active;
}
