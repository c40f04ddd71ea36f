// What a finger does that a pointer does not: it lifts. A box that a tap has opened stays until the next tap elsewhere.

import { stageNow } from "./now.js";
import { tell } from "./pointer.js";

const FINGER = 24; // pixels from where it lies to where a box can be read
const CHART = ".stVegaLiteChart", CHART_BOX = "#vg-tooltip-element.visible";
let isChartTapped = false;

export function listenToTaps() {
  document.addEventListener("pointerup", onTap, true);
  document.addEventListener("mouseout", keepChartBox, true);
}

export function stopListeningToTaps() {
  document.removeEventListener("pointerup", onTap, true);
  document.removeEventListener("mouseout", keepChartBox, true);
}

// A finger that has scrolled ends in a `pointercancel` and comes by none of this.
function onTap(event) {
  const isTouch = event.pointerType === "touch", path = event.composedPath(), { told } = stageNow || {};
  isChartTapped = isTouch && Boolean(path[0].closest?.(CHART));
  if (!isTouch) return;
  if (told?.by === "touch" && !path.includes(told.surface.canvas)) tell(stageNow, null);
  document.querySelector(CHART_BOX)?.classList.remove("visible");
  if (isChartTapped) setTimeout(() => tellMark(path[0], event)); // the lifted finger has left by then
}

// A chart shows the value of a mark over which a pointer moves, and a tap moves none.
function tellMark(mark, { clientX, clientY }) {
  mark.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX, clientY: clientY + FINGER }));
}

// The browser makes up a mouse for a finger, and lets it leave the page at any time.
function keepChartBox(event) {
  if (isChartTapped && !event.relatedTarget && event.target.closest?.(CHART)) event.stopPropagation();
}
