// A picture on the text itself: who a token looks at, as tints and arcs. Each row but the last is a token's; the last
// one joins the rows of the tokens in `selected`, and is shown while no token is under the pointer or the keys.

import { showIn } from "../look/calls.js";
import { luminance, SVG } from "../look/canvas.js";
import { percent, wholePercent } from "../look/numbers.js";
import { tokenNodes, unmarked } from "../look/tokens.js";
import { along, colourOf, inkOf, LEVELS, ticksOf, tickText } from "./paint.js";
import { decode, element } from "./read.js";
import { stillOf } from "./text_still.js";

const texts = (globalThis.gpt2Texts ??= new WeakMap());
const LEAST_ARC = 0.05, MOST_ARCS = 6, NAMED = 4, LIFT = 18; // pixels
const LET_GO = "gpt2-let-go", WATCH_CHANGED = "gpt2-watch"; // see lock.js and watched.js in pages/stage/js
const KEYS = "Arrow keys move from token to token. Enter holds one. Esc leaves.";
const ARCS = `Arcs: the ${MOST_ARCS} largest weights from ${wholePercent(LEAST_ARC)} on, thicker for more.`;

function weightOf({ header, data }, row, column) {
  return data[row * header.shape[1] + column];
}

function countOf({ header }) {
  return header.rows.length - 1;
}

// The column of the first token that has a row; before it may be one that stands for all earlier tokens.
function firstOf(view) {
  return view.header.columns.length - countOf(view);
}

function shownRow(view) {
  return view.cursor ?? view.pinned ?? countOf(view);
}

function lookingOf(view) {
  return shownRow(view) < countOf(view) ? [shownRow(view)] : view.header.selected;
}

function tint(view, row, looking) {
  const { header, ink } = view, first = firstOf(view), watched = globalThis.gpt2Stage?.state?.watched?.position;
  const last = looking.length ? Math.max(...looking) + first : view.tokens.length;
  for (const [column, token] of view.tokens.entries()) {
    const weight = weightOf(view, row, column), isShown = Number.isFinite(weight) && column <= last;
    const colour = isShown ? colourOf(ink, header.scale, weight) : null;
    token.style.background = colour ? `rgb(${colour.join()})` : "";
    token.style.color = colour ? (luminance(colour) > 0.2 ? "#14181c" : "#ffffff") : "";
    token.classList.toggle("later", column > last);
    token.classList.toggle("left-out", Number.isNaN(weight) && column <= last);
    token.classList.toggle("looks", looking.includes(column - first));
    token.classList.toggle("held", view.pinned === column - first);
    token.classList.toggle("entered", view.entered && view.cursor === column - first);
    token.classList.toggle("watched", header.row_start + column - first === watched);
  }
}

// From the top of the token that looks, over the line or up to an earlier one.
function arc(from, to) {
  const [x, y] = [from.offsetLeft + from.offsetWidth / 2, from.offsetTop];
  const [toX, toY] = [to.offsetLeft + to.offsetWidth / 2, to.offsetTop];
  const lift = toY === y ? Math.min(LIFT, 6 + Math.abs(x - toX) / 8) : LIFT;
  return `M ${x} ${y} C ${x} ${y - lift} ${toX} ${toY - lift} ${toX} ${toY}`;
}

// The columns of a row with their weights, largest first; those without a weight are left out.
function byWeight(view, row) {
  const weights = view.header.columns.map((_, column) => [weightOf(view, row, column), column]);
  return weights.filter(([weight]) => weight > 0).sort(([one], [other]) => other - one);
}

function drawArcs(view, looking) {
  const first = firstOf(view);
  view.arcs.replaceChildren();
  for (const query of looking) {
    const others = byWeight(view, query).filter(([weight, column]) => weight >= LEAST_ARC && column !== query + first);
    for (const [weight, column] of others.slice(0, MOST_ARCS)) {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("d", arc(view.tokens[query + first], view.tokens[column]));
      path.style.strokeWidth = `${1 + 5 * weight}px`;
      path.style.opacity = String(0.35 + 0.6 * weight);
      view.arcs.appendChild(path);
    }
  }
}

function sentence(view, row) {
  const { header } = view;
  const said = byWeight(view, row).slice(0, NAMED)
    .map(([weight, column]) => `${header.column_names[column]} ${percent(weight)}`);
  return `${header.row_names[row]} → ${said.join(", ") || "nothing"}`;
}

function paint(view) {
  const row = shownRow(view), looking = lookingOf(view);
  tint(view, row, looking);
  drawArcs(view, looking);
  view.readout.replaceChildren(...tokenNodes(`${sentence(view, row)} · ${view.header.hook}`));
}

function move(view, at) {
  view.cursor = at;
  paint(view);
}

function hold(view, at) {
  view.pinned = view.pinned === at ? null : at;
  paint(view);
}

function enter(view, at) {
  view.entered = true;
  move(view, at);
  view.tokens[at + firstOf(view)].scrollIntoView({ block: "nearest" });
  globalThis.gpt2Stage?.say?.(unmarked(sentence(view, at)));
}

function leave(view) {
  view.entered = false;
  move(view, null);
}

// The token that stands nearest in the line above (-1) or below (1); the same one if there is no such line.
function inNextLine(view, at, way) {
  const tokens = view.tokens.slice(firstOf(view)), from = tokens[at];
  const others = tokens.map((token, index) => ({
    index,
    lines: way * (token.offsetTop - from.offsetTop),
    aside: Math.abs(token.offsetLeft - from.offsetLeft),
  })).filter(({ lines }) => lines > 0);
  others.sort((one, other) => one.lines - other.lines || one.aside - other.aside);
  return others.length ? others[0].index : at;
}

// Whether a key was the picture's own.
function answer(view, key) {
  const last = countOf(view) - 1;
  if (key === "Escape") {
    if (globalThis.gpt2Stage?.isFilled?.()) return false; // a filled window goes first
    const isOwn = view.pinned !== null || view.entered;
    if (view.pinned !== null) hold(view, view.pinned);
    else if (isOwn) leave(view);
    return isOwn;
  }
  if (!view.entered) {
    if (key === "Enter") enter(view, view.pinned ?? last);
    return key === "Enter";
  }
  const at = view.cursor;
  const to = {
    ArrowLeft: at - 1,
    ArrowRight: at + 1,
    Home: 0,
    End: last,
    ArrowUp: inNextLine(view, at, -1),
    ArrowDown: inNextLine(view, at, 1),
  }[key];
  if (to !== undefined) enter(view, Math.min(last, Math.max(0, to)));
  else if (key === "Enter" || key === " ") hold(view, at);
  else return false;
  return true;
}

function listen(view) {
  const { plot } = view;
  const at = ({ target }) => {
    const column = view.tokens.indexOf(target.closest?.(".token"));
    return column >= firstOf(view) ? column - firstOf(view) : null;
  };
  plot.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "touch" && !view.entered && at(event) !== view.cursor) move(view, at(event));
  });
  plot.addEventListener("pointerleave", () => {
    if (!view.entered) move(view, null);
  });
  plot.addEventListener("pointerdown", () => Object.assign(view, { isPointed: true, entered: false }));
  plot.addEventListener("click", (event) => {
    if (at(event) !== null) hold(view, at(event));
  });
  plot.addEventListener("focus", () => {
    if (!view.isPointed) enter(view, view.pinned ?? countOf(view) - 1);
  });
  plot.addEventListener("blur", () => {
    if (plot.getRootNode().activeElement === plot) return; // the whole window has lost the focus
    view.isPointed = false;
    leave(view);
  });
  plot.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || !answer(view, event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  });
  const answers = {
    [WATCH_CHANGED]: () => paint(view),
    [LET_GO]: (event) => {
      if (event.defaultPrevented || view.pinned === null) return;
      event.preventDefault();
      hold(view, view.pinned);
    },
  };
  for (const [name, reply] of Object.entries(answers)) globalThis.addEventListener(name, reply);
  const watcher = new ResizeObserver(() => {
    if (view.header) draw(view);
  });
  watcher.observe(view.root);
  view.stop = () => {
    watcher.disconnect();
    for (const [name, reply] of Object.entries(answers)) globalThis.removeEventListener(name, reply);
  };
}

function mount(parent) {
  const root = parent.querySelector(".text");
  const view = { root, tokens: [], cursor: null, pinned: null, entered: false, isPointed: false };
  view.plot = element(root, "div", "plot");
  view.readout = element(root, "div", "readout");
  view.label = element(root, "div", "label");
  view.bar = element(root, "div", "bar");
  view.ticks = element(root, "div", "ticks");
  Object.assign(view.plot, { tabIndex: 0, role: "application" });
  view.plot.setAttribute("aria-roledescription", "picture");
  view.plot.setAttribute("aria-description", KEYS);
  listen(view);
  const host = root.getRootNode().host ?? root; // what the page sees of it
  host.classList.add("gpt2-takable");
  host.gpt2Still = (kind) => stillOf(view, kind, paint);
  return view;
}

function drawLegend(view) {
  const { header: { scale, hatched }, ink: { levels } } = view;
  const colours = [0, 0.25, 0.5, 0.75, 1].map((part) => `rgb(${levels[part * LEVELS].join()})`);
  view.bar.style.background = `linear-gradient(90deg, ${colours.join()})`;
  view.label.textContent = `${scale.label}${scale.square_root ? ", square-root scale" : ""}. ${ARCS}` +
    (hatched ? " Hatched: left out." : "");
  view.ticks.replaceChildren();
  for (const tick of ticksOf(scale)) {
    const mark = element(view.ticks, "span", "");
    mark.textContent = tickText(scale, tick);
    mark.style.left = `${100 * along(scale, tick)}%`;
  }
}

function draw(view) {
  view.ink = inkOf(view.root, view.header);
  for (const name of ["high", "mark", "watched", "muted"]) view.root.style.setProperty(`--${name}`, view.ink[name]);
  drawLegend(view);
  paint(view);
}

// New spans for a new text: a token's own label, so that nothing in it is read as markup.
function write(view) {
  const { header } = view, first = firstOf(view);
  view.plot.replaceChildren();
  view.arcs = document.createElementNS(SVG, "svg");
  view.tokens = header.columns.map((label, column) => {
    const token = element(view.plot, "span", column < first ? "earlier" : "token");
    token.textContent = label;
    return token;
  });
  view.plot.appendChild(view.arcs);
}

function show(view, { data }) {
  const before = view.header;
  [view.header, view.data] = decode(data);
  const shift = (before?.row_start ?? 0) - view.header.row_start; // a held token stays held when the text moves on
  for (const name of ["pinned", "cursor"]) {
    const at = view[name] === null ? null : view[name] + shift;
    view[name] = at === null || at < 0 || at >= countOf(view) ? null : at;
  }
  view.entered = view.entered && view.cursor !== null;
  view.plot.setAttribute("aria-label", `${view.header.title}. ${unmarked(view.header.caption.join(""))}`);
  write(view);
  draw(view);
}

export default function (component) {
  return showIn(texts, mount, show, component);
}
