// The matrix on the page: one mount for each key, repainted whenever data, size or theme change.

import { showIn } from "../look/calls.js";
import { nearestCell } from "../look/cells.js";
import { headingTools } from "../look/heading.js";
import { tokenNodes, unmarked } from "../look/tokens.js";
import { keysOf, SHARED, showCell } from "./cell.js";
import { enter, leave, move, onKey } from "./keys.js";
import { paintPicture } from "./panel.js";
import { followLock, followWatch, letGo, pick, press, takeAnswer, takePick } from "./picked.js";
import { sizesOf } from "./place.js";
import { decode, element } from "./read.js";
import { stillOf } from "./still.js";

const views = (globalThis.gpt2Matrices ??= new WeakMap());
// What the stage says; see lock.js and watched.js in pages/stage/js.
const LOCK_CHANGED = "gpt2-lock", LET_GO = "gpt2-let-go", WATCH_CHANGED = "gpt2-watch";

function listen(view) {
  const { plot } = view;
  const at = (event) => {
    const box = plot.getBoundingClientRect();
    const { place, sizes: { type } } = view;
    return place.hit((event.clientX - box.left) / type, (event.clientY - box.top) / type);
  };
  const hovers = (event) => event.pointerType !== "touch" && !view.pinned;
  plot.addEventListener("pointermove", (event) => {
    plot.style.cursor = at(event) ? "pointer" : "default";
    if (hovers(event)) move(view, at(event), { tip: true });
  });
  plot.addEventListener("pointerleave", (event) => {
    if (hovers(event)) move(view, view.entered, { tip: Boolean(view.entered) });
  });
  plot.addEventListener("pointerdown", (event) => {
    Object.assign(view, { isPointed: true, entered: null, isTouch: event.pointerType === "touch" });
  });
  plot.addEventListener("click", (event) => {
    const cell = at(event);
    if (cell) press(view, cell);
    else if (view.isTouch) leave(view);
  });
  plot.addEventListener("focus", () => {
    if (!view.isPointed) enter(view);
  });
  plot.addEventListener("blur", () => {
    if (plot.getRootNode().activeElement === plot) return; // the whole window has lost the focus
    view.isPointed = false;
    leave(view);
  });
  plot.addEventListener("keydown", (event) => onKey(view, event));
  view.badge.addEventListener("click", () => letGo(view));
  /** @type {Record<string, (event: any) => void>} */
  const answers = {
    [SHARED]: ({ detail }) => {
      if (detail.from === view || detail.group !== view.header.group) return;
      if (detail.kind === "pick") pick(view, detail.cell);
      showCell(view, detail.cell);
    },
    [WATCH_CHANGED]: () => {
      followWatch(view);
      repaint(view);
    },
    [LOCK_CHANGED]: () => {
      followLock(view);
      showCell(view, view.cursor, { tip: !view.tip.hidden });
    },
    [LET_GO]: (event) => {
      if (event.defaultPrevented || !view.isPicked || view.header.locks) return;
      event.preventDefault();
      letGo(view);
    },
    pointerup: (event) => {
      const isElsewhere = view.isTouch && view.cursor && !event.composedPath().includes(plot);
      if (isElsewhere && event.pointerType === "touch") leave(view);
    },
  };
  for (const [name, answer] of Object.entries(answers)) globalThis.addEventListener(name, answer);
  const watcher = new ResizeObserver(() => {
    if (isOld(view, Math.floor(view.root.clientWidth))) repaint(view);
  });
  watcher.observe(view.root);
  view.stop = () => {
    watcher.disconnect();
    for (const [name, answer] of Object.entries(answers)) globalThis.removeEventListener(name, answer);
  };
}

function mount(parent) {
  const root = parent.querySelector(".matrix");
  const view = { root, cursor: null, pinned: null, chosen: null, isPicked: false };
  Object.assign(view, { entered: null, isPointed: false, isTouch: false });
  const head = element(root, "div", "head");
  view.title = element(head, "span", "title");
  view.tools = element(head, "span", "");
  view.caption = element(root, "div", "caption");
  view.badge = element(root, "button", "badge");
  view.badge.type = "button";
  view.plot = element(root, "div", "plot");
  view.base = element(view.plot, "canvas", "");
  view.over = element(view.plot, "canvas", "");
  view.tip = element(view.plot, "div", "tip");
  view.tip.hidden = true;
  for (const name of ["readout", "note"]) view[name] = element(root, "div", name);
  view.plot.tabIndex = 0;
  view.plot.setAttribute("role", "application");
  view.plot.setAttribute("aria-roledescription", "picture");
  listen(view);
  root.still = () => view.header && stillOf(view); // the stage asks for it; see pages/stage/js/still.js
  // The first picture asks for the page's letters and may be drawn before they are here.
  requestAnimationFrame(() => document.fonts.ready.then(() => repaint(view)));
  return view;
}

function isOld(view, width) {
  return width !== view.width || sizesOf(view.root).key !== view.sizes?.key;
}

// From step to step a caption keeps the lines that it had at most: one that needs a line less pulls up no picture.
function keepLines({ caption }) {
  caption.style.minHeight = `${caption.offsetHeight}px`;
}

function repaint(view) {
  const width = Math.floor(view.root.clientWidth);
  if (!view.header || width < 40) return;
  if (isOld(view, width)) view.caption.style.minHeight = "";
  view.width = width;
  view.note.textContent = paintPicture(view);
  keepLines(view);
  const { rows, columns } = view.place;
  const isGone = (cell) => cell && (cell[0] >= rows || cell[1] >= columns);
  if (isGone(view.cursor) || isGone(view.pinned)) view.cursor = view.pinned = null;
  if (view.entered) view.cursor = view.entered = nearestCell(view.entered, rows, () => columns);
  showCell(view, view.cursor, { tip: Boolean(view.pinned || view.entered) });
}

function show(view, { data, setStateValue }) {
  view.send = (at) => {
    if (!globalThis.gpt2Stage?.isLeaving?.()) setStateValue("cell", at);
  };
  const before = view.header;
  [view.header, view.data] = decode(data);
  takeAnswer(view);
  takePick(view, before);
  view.title.textContent = view.header.title;
  if (before?.panel !== view.header.panel) {
    view.tools.outerHTML = headingTools(view.header.panel);
    view.caption.style.minHeight = "";
  }
  view.caption.replaceChildren();
  for (const [at, part] of view.header.caption.entries()) {
    element(view.caption, at % 2 ? "b" : "span", "").append(...tokenNodes(part));
  }
  view.plot.setAttribute("aria-label", `${view.header.title}. ${unmarked(view.header.caption.join(""))}`);
  view.plot.setAttribute("aria-description", view.title.title = keysOf(view.header));
  followWatch(view);
  repaint(view);
}

export default function (component) {
  return showIn(views, mount, show, component);
}
