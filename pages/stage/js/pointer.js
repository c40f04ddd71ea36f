// The value of a cell and its hook's name, in one small box: of the cell under the pointer, of the one that a finger
// tapped last, or of the one that the keys have reached. A click does what the panel says it does.

import { tokenNodes, unmarked } from "../../look/tokens.js";
import { unlockHead } from "./lock.js";
import { openNumber } from "./number.js";
import { Roving } from "./roving.js";
import { state } from "./store.js";
import { say } from "./voice.js";

export function wirePointer(surface, stage) {
  const { canvas } = surface;
  let isTouch = false;
  const placeOf = (event) => {
    const area = canvas.getBoundingClientRect();
    return { x: event.clientX - area.left, y: event.clientY - area.top };
  };
  canvas.addEventListener("pointerdown", (event) => {
    isTouch = event.pointerType === "touch";
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch") return;
    const what = tell(stage, { surface, by: "pointer", ...placeOf(event) });
    canvas.style.cursor = what?.click || what?.opens ? "pointer" : "default";
  });
  canvas.addEventListener("pointerleave", () => {
    if (stage.told?.by === "pointer") tellCursor(stage);
  });
  canvas.addEventListener("click", (event) => {
    const place = placeOf(event), what = surface.find ? surface.find(place.x, place.y) : null;
    const isRead = !isTouch || (stage.told?.by === "touch" && isSameCell(findTold(stage.told), what));
    if (what?.click) what.click(isTouch);
    else if (what?.opens && isRead) openNumber(what.opens, what.lines.at(-1));
    if (isTouch) tell(stage, { surface, by: "touch", ...place });
  });
  surface.roving = new Roving(canvas, {
    cells: () => surface.cells,
    show: (cell, how) => showCursor(surface, stage, cell, how),
    press: ([row, column]) => {
      const what = surface.at(row, column);
      if (what?.opens) openNumber(what.opens, what.lines.at(-1), true);
      if (!what?.click) return Boolean(what?.opens);
      what.click();
      say(inWords(surface.at(row, column)));
      return true;
    },
    release: ([row, column]) => {
      if (!surface.locks || !state.lock) return false;
      unlockHead();
      say(inWords(surface.at(row, column)));
      return true;
    },
  });
}

function isSameCell(one, other) {
  return Boolean(one && other) && one.lines.join() === other.lines.join();
}

// What a listener hears of a cell: where it is, its value and what it means, without the hook's name.
function inWords({ where, lines, state: held }) {
  return unmarked([where, ...lines.slice(0, Math.max(1, lines.length - 1)), held].filter(Boolean).join(", "));
}

// The ring on the cell that the keys have reached, and the box beside it.
function showCursor(surface, stage, cell, how) {
  const { ring, says } = surface;
  ring.hidden = !cell;
  if (!cell) {
    if (stage.told?.by === "keys") tell(stage, null);
    return;
  }
  const [x, y, width, height] = surface.cells.box(...cell);
  const [wide, tall] = [Math.max(8, width), Math.max(8, height)], room = 4; // of the ring, inside the canvas
  const left = Math.max(room, Math.min(x + (width - wide) / 2, surface.width - wide - room));
  const top = Math.max(room, Math.min(y + (height - tall) / 2, surface.height - tall - room));
  const right = Math.min(left + wide, surface.width - room), foot = Math.min(top + tall, surface.height - room);
  Object.assign(ring.style, {
    left: `${left}px`,
    top: `${top}px`,
    width: `${right - left}px`,
    height: `${foot - top}px`,
  });
  if (how === "redrawn") return;
  ring.scrollIntoView({ block: "nearest", inline: "nearest" });
  const what = tell(stage, { surface, by: "keys", cell, hint: how === "entered" ? surface.description : "" });
  if (what) say(how === "entered" ? `${says.textContent} ${inWords(what)}` : inWords(what));
}

// The pointer has left: the box goes back to the cell of the keys, if there is one.
function tellCursor(stage) {
  const surface = stage.surfaces.find(({ roving }) => roving.cursor);
  tell(stage, surface ? { surface, by: "keys", cell: surface.roving.cursor } : null);
}

export function tell(stage, told) {
  stage.told = told;
  return showTip(stage);
}

// What lies under a resting pointer, or under the ring, changes with the step.
export function showTip(stage) {
  const { told, tip, root } = stage;
  const what = told && findTold(told);
  if (!what) {
    if (tip.of !== "token") tip.hidden = true; // else it is the strip's
    return null;
  }
  fillTip(tip, what.lines, told.hint);
  tip.of = "picture";
  placeTip(tip, root.getBoundingClientRect(), placeTold(told), told.by === "touch");
  return what;
}

// The lines of the box, tokens in them marked: the first is the value, the last the technical name; then what keys do.
export function fillTip(tip, lines, hint = "") {
  tip.hidden = false;
  tip.replaceChildren(
    ...[...lines, ...(hint ? [hint] : [])].map((text, n) => {
      const line = document.createElement("div");
      line.append(...tokenNodes(text));
      line.className = n === lines.length - 1 ? "name" : n >= lines.length ? "keys" : "";
      return line;
    }),
  );
}

function findTold({ surface, cell, x, y }) {
  if (cell) return surface.at(...cell);
  return surface.find ? surface.find(x, y) : null;
}

// The part of the window that the box keeps clear of: the pointer, a fingertip, or the cell.
function placeTold({ surface, by, cell, x, y }) {
  const area = surface.canvas.getBoundingClientRect();
  if (cell) {
    const ring = surface.ring.getBoundingClientRect();
    return { x: ring.left, top: ring.top - 8, foot: ring.bottom + 8 };
  }
  const far = by === "touch" ? [30, 40, 0] : [10, 18, 14];
  return { x: area.left + x + far[2], top: area.top + y - far[0], foot: area.top + y + far[1] };
}

const BAR = 52; // pixels of the window that Streamlit's bar covers

// Beside what it tells of and inside the window: below it, or above it where a hand would cover what is below.
export function placeTip(tip, area, { x, top, foot }, isAbove) {
  const { offsetWidth: width, offsetHeight: height } = tip;
  const from = Math.max(0, area.left) + 6, to = Math.min(innerWidth, area.right) - width - 6;
  const left = Math.max(from, Math.min(isAbove ? x - width / 2 : x, to));
  const fitsAbove = top - height >= BAR, fitsBelow = foot + height <= innerHeight - 4;
  const y = (isAbove ? fitsAbove : !fitsBelow && fitsAbove) ? top - height : foot;
  tip.style.left = `${left - area.left}px`;
  tip.style.top = `${y - area.top}px`;
}
