// From the click on a link to another page, or from "Back", until that page is here, nothing goes out.
//
// Streamlit joins requests that wait for the same script into one, and the newest names the page: whatever the old page
// said meanwhile could bring the old page back, or empty the new one. The stage waits, and that of the new page says
// it; what else the old page has cannot be pressed.

import { stageNow } from "./now.js";
import { shared } from "./store.js";

const LEAVING_MS = 30_000; // then the request is taken for lost
const WIDGETS = '[data-testid="stMain"] .stElementContainer:not(.st-key-stage, :has(a))'; // links lead on
let leaving = { parent: null, until: 0, still: [], timer: 0 }; // the place of the stage that is left, what lies still

export function isLeaving() {
  const parent = shared.component.parentElement;
  return !parent.isConnected || (leaving.parent === parent && performance.now() < leaving.until);
}

export function onLinkClick(event) {
  if (!stageNow || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = event.composedPath().find((node) => node instanceof HTMLAnchorElement && node.href);
  if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  leaveFor(link.pathname);
}

export function onBack() {
  if (stageNow) leaveFor(location.pathname);
}

function leaveFor(path) {
  stay();
  if (path === stageNow.path) return;
  const still = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(WIDGETS)]);
  still.forEach((node) => {
    node.inert = true;
  });
  const timer = setTimeout(stay, LEAVING_MS);
  leaving = { parent: stageNow.parent, until: performance.now() + LEAVING_MS, still, timer };
}

// The other page is here, or this one is not left after all.
export function stay() {
  clearTimeout(leaving.timer);
  leaving.still.forEach((node) => {
    node.inert = false;
  }); // the new page may have taken it over
  leaving = { parent: null, until: 0, still: [], timer: 0 };
}
