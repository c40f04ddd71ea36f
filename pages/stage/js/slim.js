// While a page is scrolled the stage stays in sight, slim: the strip, with the transport's buttons in its line. The
// rest goes under Streamlit's bar, and what was there keeps its height, so nothing on the page moves. Above a lens page
// the whole stage stays; on a Live page that is higher than the window, the stage's two upper parts.

import { isLarge } from "./size.js";
import { fitUnfold } from "./unfold.js";

const SLIM_GAP = 6; // pixels between the bar and the strip
const HEADER = "[data-testid=stHeader]", MAIN = "[data-testid=stMain]", CONTENT = "[data-testid=stMainBlockContainer]";

// The part of the page that holds the stage and has all the rest of the page beside it.
function holderOf(stage) {
  let node = stage.parent.getRootNode().host ?? stage.parent;
  while (node && !node.parentElement?.parentElement?.matches(CONTENT)) node = node.parentElement;
  return node;
}

export function wireSlim(stage) {
  stage.onScroll = () => slim(stage);
  document.addEventListener("scroll", stage.onScroll, { capture: true, passive: true });
}

// What stays, each with how far below the stage's upper edge it begins; nothing where the Live page is whole.
function stayingParts(stage, strip) {
  if (stage.view === "strip") return [[holderOf(stage), 0]];
  const scrolls = stage.root.classList.contains("stacked") || isLarge();
  return scrolls ? [stage.parts.top, strip].map((part) => [part, part.offsetTop]) : [];
}

// Where the stage stops when the page is scrolled; measured anew whenever its size may have changed.
export function fitSlim(stage) {
  const { root, parts } = stage, strip = root.querySelector(".strip");
  for (const part of [parts.top, strip]) part.style.position = part.style.top = "";
  root.classList.remove("slim");
  root.style.setProperty("--top", `${parts.top.offsetHeight}px`);
  keepRoom(root, strip);
  const header = /** @type {HTMLElement} */ (document.querySelector(HEADER));
  const bar = header?.offsetHeight ?? 0, staying = stayingParts(stage, strip);
  stage.stop = staying.length ? bar + SLIM_GAP - strip.offsetTop : -Infinity;
  for (const [part, below] of staying) {
    if (!part) return;
    const above = part === parts.top ? 101 : 100; // the transport lies on the strip
    Object.assign(part.style, { position: "sticky", top: `${stage.stop + below}px`, zIndex: above });
  }
  const room = `${bar + 2 * SLIM_GAP + strip.offsetHeight}px`;
  const scroller = /** @type {HTMLElement} */ (document.querySelector(MAIN));
  if (scroller) scroller.style.scrollPaddingTop = staying.length ? room : ""; // the strip hides nothing that has focus
  slim(stage);
}

// The room that the strip takes above the next page, which leaves it free before the strip is there.
function keepRoom(root, strip) {
  const above = strip.getBoundingClientRect().bottom - root.getBoundingClientRect().top;
  const room = above + parseFloat(getComputedStyle(root).paddingTop);
  document.documentElement.style.setProperty("--strip", `${room}px`);
}

function slim({ root, stop, parts }) {
  const isSlim = root.getBoundingClientRect().top <= stop + 0.5;
  if (isSlim === root.classList.contains("slim")) return;
  root.classList.toggle("slim", isSlim);
  fitUnfold(parts); // the line has become shorter, or longer
}

export function unwireSlim(stage) {
  document.removeEventListener("scroll", stage.onScroll, { capture: true });
}
