// Which page is open, said by the links to it. Streamlit does not say it of the links that a page draws, which it may
// draw late, and again, nor of a group in whose menu the page is, at the top. The row's link is brought into sight.
// Calls overtake each other on a busy machine: the page opened last counts.

const ROW = ".st-key-page-row", HEADER = '[data-testid="stHeader"]';
const TOP = `${HEADER} :is([data-testid="stTopNavLink"], [data-testid="stTopNavSection"])`;
const OPACITY = { checkOpacity: true }; // a link that finds no room is transparent

export default ({ data: { open, group, since } }) => {
  if (since < (globalThis.gpt2OpenSince ?? 0)) return undefined;
  globalThis.gpt2OpenSince = since;
  const sizes = new ResizeObserver(([{ target }]) => center(target.closest(ROW), target));
  const mark = () => {
    if (since < globalThis.gpt2OpenSince) return;
    const row = [...document.querySelectorAll(`${ROW} a`)], link = row.find((one) => said(one) === open);
    if (link && !link.hasAttribute("aria-current")) {
      say(row, link);
      sizes.disconnect();
      sizes.observe(link); // it has its size once the style sheets and the letters are here
    }
    const top = [...document.querySelectorAll(TOP)], seen = top.filter((one) => one.checkVisibility(OPACITY));
    const here = seen.find((one) => said(one) === (group || open)) ?? seen.at(-1); // the menu of what finds no room
    if (here && top.some((one) => one.hasAttribute("aria-current") !== (one === here))) say(top, here);
  };
  const nodes = new MutationObserver(mark);
  nodes.observe(document.querySelector(".stMain") ?? document.body, { childList: true, subtree: true });
  const header = document.querySelector(HEADER);
  if (header) nodes.observe(header, { childList: true, subtree: true, attributes: true, attributeFilter: ["style"] });
  mark();
  return () => {
    nodes.disconnect();
    sizes.disconnect();
  };
};

function said(link) {
  return link.textContent.trim();
}

function say(links, link) {
  for (const one of links) one.removeAttribute("aria-current");
  link.setAttribute("aria-current", link instanceof HTMLAnchorElement ? "page" : "true");
}

function center(row, link) {
  const here = link.getBoundingClientRect(), all = row.getBoundingClientRect();
  row.scrollLeft += here.left + here.width / 2 - all.left - all.width / 2;
}
