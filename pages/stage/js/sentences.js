// The sentences of a lens page, which are written anew at each step: while one step follows another, each keeps the
// lines that it had at most, so a sentence that needs a line less does not pull up all that stands below it.

import { stageNow } from "./now.js";
import { state } from "./store.js";

const WHOLE_PAGE = "[data-testid=stMain]";
const SENTENCES = `${WHOLE_PAGE} .stElementContainer:has(> .stMarkdown, > .stText)`;
const most = new Map(); // how high each has been, in pixels, by its element
const observer = new ResizeObserver((entries) => entries.forEach(({ target }) => keepHeight(target)));
let keptFor = "";

function keepHeight(node) {
  if ((most.get(node) ?? 0) >= node.offsetHeight) return;
  most.set(node, node.offsetHeight);
  node.style.minHeight = `${node.offsetHeight}px`;
}

export function keepSentences(stage) {
  const now = `${state.run} ${stage.path}`;
  if (now !== keptFor) letSentencesGo();
  keptFor = now;
  if (stage.view === "strip") document.querySelectorAll(SENTENCES).forEach((node) => observer.observe(node));
}

// In a window of another size, on another page and with another run they have other lines.
export function letSentencesGo() {
  observer.disconnect(); // the next painting has all measured anew
  for (const node of most.keys()) node.style.minHeight = "";
  most.clear();
}

// So they have where a person chooses something on the page.
for (const name of ["click", "change", "keydown"]) {
  addEventListener(name, (event) => {
    if (event.composedPath().includes(stageNow?.root)) return; // another step, at most
    if (event.target instanceof Element && event.target.matches(`${WHOLE_PAGE} *`)) letSentencesGo();
  }, true);
}
