// From the click on a link to another page until that page is here, nothing goes out.
//
// Streamlit joins requests that wait for the same script into one, and the newest names the page: whatever the old page
// said after the click could bring the old page back. It waits, and the new page says it.

const LEAVING_MS = 30_000; // then the click is taken for lost
let leaving = { parent: null, until: 0 }; // the place of the stage that is left

function isLeaving() {
  const parent = shared.component.parentElement;
  return !parent.isConnected || (leaving.parent === parent && performance.now() < leaving.until);
}

function onLinkClick(event) {
  if (!stageNow || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = event.composedPath().find((node) => node instanceof HTMLAnchorElement && node.href);
  if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  const isOtherPage = link.pathname !== location.pathname;
  leaving = { parent: stageNow.parent, until: isOtherPage ? performance.now() + LEAVING_MS : 0 };
}
