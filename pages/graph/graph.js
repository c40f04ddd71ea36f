// The graph on the page: one mount for each key. It is one tab stop; the keys follow its edges from place to place.

import { drawGraph } from "./draw.js";
import { stillOf } from "./still.js";
import { showIn } from "../look/calls.js";
import { tokenNodes, unmarked } from "../look/tokens.js";

const graphs = (globalThis.gpt2Graphs ??= new WeakMap());
const LET_GO = "gpt2-let-go"; // what the stage says; see pages/stage/js/lock.js
const TRIES = 6, ANSWER_MS = 500; // how often, and how long after, a pick is told again
const KEYS = "Down follows an edge back, up returns. Left and right go to the next edge or place. Enter opens it, " +
  "Esc leaves.";

function itemOf(view, event) {
  return view.items.get(event.target.closest?.(".item")?.dataset.id);
}

function nodeOf(view, id) {
  return view.plot.querySelector(`[data-id="${id}"]`);
}

// What a key leads to from a node, or from an edge.
function after(view, key, { row, column, id, source, target }) {
  const { data: { lines, nodes, mark }, items } = view;
  if (key === "Home") return items.get(mark);
  if (key === "End") return nodes.find((node) => node.row === 0 && node.is_strong);
  const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
  if (target) {
    if (key === "ArrowDown") return items.get(source);
    if (key === "ArrowUp") return items.get(target);
    const beside = lines.filter((line) => line.target === target);
    return step && beside[beside.findIndex((line) => line.id === id) + step];
  }
  const largest = (end) =>
    lines.filter((line) => line[end] === id)
      .reduce((most, line) => (most && most.is_strong >= line.is_strong ? most : line), undefined);
  if (key === "ArrowDown") return largest("target");
  if (key === "ArrowUp") return largest("source");
  const level = nodes.filter((node) => node.row === row).sort((one, other) => one.column - other.column);
  return step && level[level.findIndex((node) => node.column === column) + step];
}

function point(view, item, { speak = false, hint = "" } = {}) {
  view.cursor = item;
  for (const node of view.plot.querySelectorAll(".cursor")) node.classList.remove("cursor");
  view.tip.hidden = !item;
  if (!item) return;
  const node = nodeOf(view, item.id);
  node.classList.add("cursor");
  view.tip.replaceChildren();
  for (const [tag, text] of [["b", item.note[0]], ["span", item.note[1]], ["span", hint]]) {
    if (text) view.tip.appendChild(document.createElement(tag)).append(...tokenNodes(text));
  }
  if (view.isEntered) node.scrollIntoView({ block: "nearest", inline: "nearest" });
  const box = node.getBoundingClientRect(), around = view.root.getBoundingClientRect();
  const x = (box.left + box.right) / 2 - around.left + 12, y = box.bottom - around.top + 8;
  const room = around.width - view.tip.offsetWidth, isLow = box.bottom + view.tip.offsetHeight + 8 > innerHeight;
  view.tip.style.left = `${Math.max(0, Math.min(x, room))}px`;
  view.tip.style.top = `${isLow ? box.top - around.top - view.tip.offsetHeight - 8 : y}px`;
  if (speak) globalThis.gpt2Stage?.say?.(unmarked(item.note.join(". ")));
}

// While a page is being drawn Streamlit may take a pick and not draw the page for it: tell it until it is there.
function pick(view, id, tries = TRIES) {
  view.wanted = id;
  view.send(id);
  setTimeout(() => {
    const { selected, is_picked: isPicked } = view.data;
    const isAnswered = id ? isPicked && selected === id : !isPicked;
    if (tries && view.wanted === id && !isAnswered && view.root.isConnected) pick(view, id, tries - 1);
  }, ANSWER_MS);
}

function press(view, item) {
  const isHeld = view.data.is_picked && view.data.selected === item.id;
  pick(view, isHeld ? null : item.id);
  point(view, item, { speak: true });
}

function leave(view) {
  view.isEntered = false;
  point(view, null);
}

// Whether a key was the graph's own.
function answer(view, key) {
  if (key === "Escape") {
    if (globalThis.gpt2Stage?.isFilled?.()) return false; // a filled window goes first
    if (view.data.is_picked) pick(view, null);
    else if (view.isEntered) leave(view);
    else return false;
    return true;
  }
  if (!view.isEntered && key !== "Enter") return false;
  if (!view.isEntered || !view.cursor) enter(view);
  else if (key === "Enter" || key === " ") press(view, view.cursor);
  else if (/^(Arrow|Home|End)/.test(key)) point(view, after(view, key, view.cursor) ?? view.cursor, { speak: true });
  else return false;
  return true;
}

function enter(view) {
  view.isEntered = true;
  point(view, view.items.get(view.data.is_picked ? view.data.selected : view.data.mark), { speak: true, hint: KEYS });
}

function listen(view) {
  const { plot } = view;
  plot.addEventListener("pointermove", (event) => {
    const item = itemOf(view, event);
    if (event.pointerType !== "touch" && item !== view.cursor && !view.isEntered) point(view, item);
  });
  plot.addEventListener("pointerleave", () => {
    if (!view.isEntered) point(view, null);
  });
  plot.addEventListener("pointerdown", () => Object.assign(view, { isPointed: true, isEntered: false }));
  plot.addEventListener("click", (event) => {
    const item = itemOf(view, event);
    if (item) press(view, item);
    else point(view, null);
  });
  plot.addEventListener("focus", () => {
    if (!view.isPointed) enter(view);
  });
  plot.addEventListener("blur", () => {
    view.isPointed = false;
    leave(view);
  });
  plot.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || !answer(view, event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  });
  view.badge.addEventListener("click", () => pick(view, null));
  const letGo = (event) => {
    if (event.defaultPrevented || !view.data.is_picked) return;
    event.preventDefault();
    pick(view, null);
  };
  globalThis.addEventListener(LET_GO, letGo);
  const watcher = new ResizeObserver(() => {
    if (view.root.clientWidth !== view.width) redraw(view);
  });
  watcher.observe(view.root);
  const host = view.root.getRootNode().host ?? view.root; // what the page sees of it
  host.classList.add("gpt2-takable");
  host.gpt2Still = (kind) => stillOf(view, kind);
  view.stop = () => {
    watcher.disconnect();
    globalThis.removeEventListener(LET_GO, letGo);
  };
}

function mount(parent) {
  const root = parent.querySelector(".graph");
  root.innerHTML = '<button type="button" class="badge" title="Let this choice go (Esc)" hidden>picked · Esc</button>' +
    '<div class="plot" tabindex="0" role="application" aria-roledescription="graph"></div>' +
    '<div class="legend"></div><div class="tip" hidden></div>';
  const [badge, plot, legend, tip] = root.children, note = document.createElement("i");
  const view = { root, badge, plot, legend, note, tip, isEntered: false, isPointed: false };
  listen(view);
  return view;
}

function redraw(view) {
  view.width = view.root.clientWidth;
  if (!view.data || view.width < 40) return;
  drawGraph(view, view.width);
  nodeOf(view, view.data.selected)?.classList.add("selected");
  point(view, view.items.get(view.cursor?.id ?? (view.isEntered && view.data.mark)));
}

function show(view, { data, setStateValue }) {
  view.send = (id) => {
    if (!globalThis.gpt2Stage?.isLeaving?.()) setStateValue("picked", id);
  };
  view.data = data;
  view.nodes = new Map(data.nodes.map((node) => [node.id, node]));
  view.items = new Map([...data.nodes, ...data.lines].map((item) => [item.id, item]));
  view.badge.hidden = !data.is_picked;
  view.plot.setAttribute("aria-label", data.title);
  view.plot.setAttribute("aria-description", KEYS);
  view.legend.replaceChildren(
    ...Object.entries(data.legend).map(([concept, meaning]) => {
      const entry = document.createElement("span");
      [entry.className, entry.textContent] = [concept, meaning];
      return entry;
    }),
    view.note,
  );
  redraw(view);
}

export default function (component) {
  return showIn(graphs, mount, show, component);
}
