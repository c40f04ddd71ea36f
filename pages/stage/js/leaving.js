// From the click on a link to another page, or from "Back", until that page is here, nothing goes out.
//
// Streamlit joins requests that wait for the same script into one, and the newest names the page: whatever the old page
// said meanwhile could bring the old page back, or empty the new one. The stage waits, and that of the new page says
// it; what else the old page has cannot be pressed.

const LEAVING_MS = 30_000; // then the request is taken for lost
const WIDGETS = '[data-testid="stMain"] .stElementContainer:not(.st-key-stage, :has(a))'; // links lead on
// So long after the pointer has left a mark, its chart says that nothing in it is picked any more. A finger that goes
// on to a link leaves the mark with that very tap.
const CHART_MS = 300;
let leftMarkAt = -CHART_MS;
let leaving = { parent: null, until: 0, still: [], timer: 0 }; // the place of the stage that is left, what lies still

function isLeaving() {
  const parent = shared.component.parentElement;
  return !parent.isConnected || (leaving.parent === parent && performance.now() < leaving.until);
}

function onMarkLeft({ target }) {
  if (target.closest?.(CHART)) leftMarkAt = performance.now();
}

function onLinkClick(event) {
  if (!stageNow || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = event.composedPath().find((node) => node instanceof HTMLAnchorElement && node.href);
  if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  const wait = leftMarkAt + CHART_MS - performance.now();
  if (wait <= 0 || !event.isTrusted) return void leaveFor(link.pathname);
  event.preventDefault();
  event.stopImmediatePropagation();
  setTimeout(() => link.click(), wait); // so that what the chart says goes first
}

function onBack() {
  if (stageNow) leaveFor(location.pathname);
}

function leaveFor(path) {
  stay();
  if (path === stageNow.path) return;
  const still = [...document.querySelectorAll(WIDGETS)];
  still.forEach((node) => { node.inert = true; });
  const timer = setTimeout(stay, LEAVING_MS);
  leaving = { parent: stageNow.parent, until: performance.now() + LEAVING_MS, still, timer };
}

// The other page is here, or this one is not left after all.
function stay() {
  clearTimeout(leaving.timer);
  leaving.still.forEach((node) => { node.inert = false; }); // the new page may have taken it over
  leaving = { parent: null, until: 0, still: [], timer: 0 };
}
