// From the click on a link to another page, or from "Back", until that page is here, nothing goes out.
//
// Streamlit joins requests that wait for the same script into one, and the newest names the page: whatever the old page
// said meanwhile could bring the old page back, or empty the new one. The stage waits, and that of the new page says
// it; what else the old page has cannot be pressed. The old page may be drawn once more before the other comes: which
// of the two is here, its stage's messages say.
//
// What was said just before goes out with the browser's next turn. A click on a link waits for it; "Back", which
// nothing can stop, is told to Streamlit once more after it.

import { stageNow } from "./now.js";
import { shared, state } from "./store.js";

const LEAVING_MS = 30_000; // then the request is taken for lost
const WIDGETS = '[data-testid="stMain"] .stElementContainer:not(.st-key-stage, :has(a))'; // links lead on
const HERE = { page: null, path: "", still: new Set(), timer: 0 };
let left = HERE; // the page that is left, its path in the address, and what lies still on it
let isOnItsWay = false; // whether what was said goes out with the next turn
let goesOn = false; // whether what happens now has waited for it

export function isLeaving() {
  return left !== HERE || !shared.component.parentElement.isConnected;
}

// The path of the page that is shown; while it is left, the address may be of the other.
export function shownPath() {
  return left === HERE ? location.pathname : left.path;
}

export function onLinkClick(event) {
  if (!stageNow || goesOn || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = event.composedPath().find((node) => node instanceof HTMLAnchorElement && node.href);
  if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  leaveFor(link.pathname);
  event.preventDefault();
  event.stopPropagation();
  const isSame = ({ href }) => href === link.href;
  goOn(() => (link.isConnected ? link : [...document.links].find(isSame) ?? link).click()); // it may be drawn anew
}

export function onBack(event) {
  if (!stageNow || goesOn) return;
  leaveFor(location.pathname);
  if (isOnItsWay) goOn(() => dispatchEvent(new PopStateEvent("popstate", { state: event.state })));
}

export function noteSaid() {
  isOnItsWay = true;
  setTimeout(() => {
    isOnItsWay = false;
  });
}

function goOn(happens) {
  setTimeout(() => {
    goesOn = true;
    happens();
    goesOn = false;
  });
}

function leaveFor(path) {
  stay();
  if (path === stageNow.path) return;
  left = { page: state.header.page, path: stageNow.path, still: new Set(), timer: setTimeout(stay, LEAVING_MS) };
  lieStill();
}

function lieStill() {
  for (const node of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(WIDGETS))) {
    if (node.inert) continue;
    node.inert = true;
    left.still.add(node);
  }
}

// A page's stage is drawn: the other page is here, or the one that is left has been drawn once more.
export function noteDrawn(page) {
  if (left === HERE) return;
  if (page === left.page) lieStill();
  else stay();
}

// The other page is here, or this one is not left after all.
function stay() {
  clearTimeout(left.timer);
  for (const node of left.still) node.inert = false; // the new page may have taken it over
  left = HERE;
}
