// The sentences of a lens page, which are written anew at each step: while one step follows another, each keeps the
// lines that it had at most, so a sentence that needs a line less does not pull up all that stands below it.

import { stageNow } from "./now.js";
import { state } from "./store.js";

const WHOLE_PAGE = "[data-testid=stMain]";
const SENTENCES = `${WHOLE_PAGE} .stElementContainer:has(> .stMarkdown, > .stText)`;
const most = new Map(); // how high each has been, in pixels, by its element
const observer = new ResizeObserver((entries) => {
  if (isStepping) entries.forEach(({ target }) => keepHeight(target));
});
let keptFor = "", keptStep = -1;
let isStepping = false; // what changes now changes because of the step
let isChosen = false; // a person has done something on the page, and Python has not answered

function keepHeight(node) {
  if ((most.get(node) ?? 0) >= node.offsetHeight) return;
  most.set(node, node.offsetHeight);
  node.style.minHeight = `${node.offsetHeight}px`;
}

// Called before each painting: Python's sentences of this step come after it.
export function keepSentences(stage) {
  const page = `${state.run} ${stage.path}`;
  if (page !== keptFor) letSentencesGo();
  keptFor = page;
  if (stage.view !== "strip" || state.cursor === keptStep) return;
  keptStep = state.cursor;
  isStepping = true;
  observer.disconnect();
  document.querySelectorAll(SENTENCES).forEach((node) => observer.observe(node)); // which tells of each once
}

// In a window of another size, on another page and with another run they have other lines.
export function letSentencesGo() {
  for (const node of most.keys()) node.style.minHeight = "";
  most.clear();
  isStepping = false;
}

// So they have where a person chooses something on the page, with Python's answer: until then a list that was opened
// stays where it is.
export function answerChoice() {
  if (isChosen) letSentencesGo();
  isChosen = false;
}

for (const name of ["click", "change", "keydown"]) {
  addEventListener(name, (event) => {
    if (event.composedPath().includes(stageNow?.root)) return; // another step, at most
    if (event.target instanceof Element && event.target.matches(`${WHOLE_PAGE} *`)) isChosen = true;
  }, true);
}
