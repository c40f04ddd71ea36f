// From the click on a link to another page, or from "Back", until that page is here, nothing goes out.
//
// Streamlit joins requests that wait for the same script into one, and the newest names the page: whatever the old page
// said meanwhile could bring the old page back, or empty the new one. It waits, and the new page says it.

const LEAVING_MS = 30_000; // then the request is taken for lost
let leaving = { parent: null, until: 0 }; // the place of the stage that is left

function isLeaving() {
  const parent = shared.component.parentElement;
  return !parent.isConnected || (leaving.parent === parent && performance.now() < leaving.until);
}

function onLinkClick(event) {
  if (!stageNow || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = event.composedPath().find((node) => node instanceof HTMLAnchorElement && node.href);
  if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  leaveFor(link.pathname);
}

function onBack() {
  if (stageNow) leaveFor(location.pathname);
}

function leaveFor(path) {
  leaving = { parent: stageNow.parent, until: path === stageNow.path ? 0 : performance.now() + LEAVING_MS };
}
