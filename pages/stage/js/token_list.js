// The tokens of the strip: painted where they changed, and told by a tip under the pointer, a finger or the focus.
// The list is one stop of the Tab key; the arrows move within it.

import { unmarked } from "../../look/tokens.js";
import { goTo, lastStep } from "./cursor.js";
import { fillTip } from "./pointer.js";
import { state, stepOfPosition } from "./store.js";
import { tokenLines } from "./token_facts.js";
import { fitUnfold, keepInView } from "./unfold.js";
import { isWatched, unwatch, watch } from "./watched.js";

const END_OF_TEXT = "<|endoftext|>";
const MOVES = {
  ArrowLeft: (at) => at - 1,
  ArrowRight: (at) => at + 1,
  Home: () => 0,
  End: () => state.header.labels.length - 1,
};
const told = { pointed: -1, focused: -1 }; // positions, -1 for none

function positionOf(event) {
  const at = event.target.dataset?.at;
  return at === undefined ? -1 : Number(at);
}

export function wireTokens(stage) {
  const { tokens } = stage.parts;
  Object.assign(told, { pointed: -1, focused: -1 });
  Object.assign(stage.parts, { spans: [], stop: null, mark: null });
  const tell = (what) => {
    Object.assign(told, what);
    tellToken(stage);
  };
  tokens.addEventListener("click", (event) => {
    if (positionOf(event) >= 0) pressToken(positionOf(event));
  });
  tokens.addEventListener("pointerover", (event) => tell({ pointed: positionOf(event) }));
  // A finger that is lifted leaves, too: what it tapped stays told until the next tap.
  tokens.addEventListener("pointerleave", (event) => {
    if (event.pointerType !== "touch") tell({ pointed: -1 });
  });
  stage.root.addEventListener("pointerdown", (event) => {
    if (!event.composedPath().includes(tokens)) tell({ pointed: -1 });
  });
  tokens.addEventListener("focusin", (event) => tell({ focused: positionOf(event) }));
  tokens.addEventListener("focusout", () => tell({ focused: -1 }));
  tokens.addEventListener("scroll", () => tellToken(stage), { passive: true });
  tokens.addEventListener("keydown", (event) => onTokenKey(stage, event));
}

function onTokenKey({ parts, tip }, event) {
  const at = positionOf(event);
  if (at < 0 || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  if (event.key === "Escape") tip.hidden = true; // and what else Esc does
  if (!MOVES[event.key] && event.key !== "Enter") return;
  event.preventDefault();
  event.stopPropagation();
  if (event.key === "Enter") return pressToken(at);
  const to = Math.min(parts.spans.length - 1, Math.max(0, MOVES[event.key](at)));
  takeStop(parts, to);
  parts.spans[to].focus();
}

// A token of the prompt is looked at, in all pictures that have its position; any other leads to its step.
function pressToken(at) {
  if (at >= state.header.prompt_tokens) return goTo(Math.min(lastStep(), stepOfPosition(at)));
  if (isWatched(at)) return unwatch();
  goTo(0);
  watch(at);
}

export function paintTokens(stage, record) {
  const { parts } = stage, { tokens, spans } = parts, { labels, prompt_tokens: prompt } = state.header;
  const current = record ? record.stop - 1 : -1, next = record?.next ? current + 1 : -1;
  const isLonger = spans.length !== labels.length;
  while (spans.length > labels.length) spans.pop().remove();
  while (spans.length < labels.length) spans.push(newToken(tokens, spans.length));
  for (let at = 0; at < spans.length; at += 1) {
    const time = at === current ? " current" : at === next ? " next" : at > current ? " later" : "";
    const kind = `${at < prompt ? "given" : "made"}${time}${labels[at] === END_OF_TEXT ? " end" : ""}`;
    dressToken(spans[at], labels[at], isWatched(at) ? `${kind} watched` : kind, at === current);
  }
  if (told.focused < 0 || told.focused >= spans.length) takeStop(parts, Math.max(0, current));
  const mark = spans[current] ?? null, hasMoved = mark !== parts.mark;
  parts.mark = mark;
  if (isLonger) fitUnfold(parts);
  else if (hasMoved) keepInView(tokens, mark);
  tellToken(stage);
}

function newToken(tokens, at) {
  const span = document.createElement("span");
  span.dataset.at = at;
  span.tabIndex = -1;
  span.setAttribute("role", "option");
  span.setAttribute("aria-selected", "false");
  tokens.append(span);
  return span;
}

// At every frame of a long text: the page is asked for nothing, and told what has changed.
function dressToken(span, label, kind, isCurrent) {
  if (span.label !== label) span.textContent = span.label = label;
  if (span.kind !== kind) span.className = span.kind = kind;
  if (span.isCurrent === isCurrent) return;
  span.isCurrent = isCurrent;
  span.setAttribute("aria-selected", String(isCurrent));
}

// The token that Tab comes to.
function takeStop(parts, at) {
  const stop = parts.spans[at];
  if (parts.stop === stop) return;
  if (parts.stop) parts.stop.tabIndex = -1;
  if (stop) stop.tabIndex = 0;
  parts.stop = stop;
}

// The tip of the token under the pointer, else of the one that has the focus; a reader hears the same.
function tellToken({ root, tip, parts }) {
  const at = told.pointed >= 0 ? told.pointed : told.focused, span = parts.spans[at];
  if (!span) {
    if (tip.of === "token") tip.hidden = true;
    tip.of = "";
    return;
  }
  const lines = tokenLines(at), said = unmarked(lines.join("; "));
  if (span.said !== said) span.setAttribute("aria-label", span.said = said);
  if (tip.of !== "token" || tip.at !== span || tip.said !== said) fillTip(tip, lines);
  Object.assign(tip, { of: "token", at: span, said });
  const area = root.getBoundingClientRect(), box = span.getBoundingClientRect();
  const x = Math.min(box.left - area.left, area.width - tip.offsetWidth - 6);
  tip.style.left = `${Math.max(6, x)}px`;
  tip.style.top = `${box.bottom - area.top + 6}px`;
}
