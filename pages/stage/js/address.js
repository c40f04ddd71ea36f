// The address: what is on the stage, so that a reload, a sent link or Back makes it again.
//
// Python says what of it names the run (`header.link`); step, head and watched position are this browser's own.
// The entry of the browser's history is only rewritten, never added to, and its page and all other parameters, such as
// Streamlit's `embed`, stay as they are.

import { lastStep, moveTo, STILL } from "./cursor.js";
import { setLock } from "./lock.js";
import { setText } from "./markup.js";
import { requestPaint } from "./now.js";
import { isAlone, state } from "./store.js";
import { unwatch, watch } from "./watched.js";

const OWN_PARAMETERS = new Set([
  "prompt",
  "z",
  "run",
  "model",
  "temperature",
  "top_k",
  "top_p",
  "seed",
  "max_new_tokens",
  "ignore_eos",
  "tokens",
  "drawn",
  "check",
  "change",
  "named",
  "step",
  "head",
  "at",
  "speed",
]);
const ADDRESS_MS = 400; // browsers refuse more than some rewrites a second
let addressTimer = 0;
let addressedAt = -Infinity;

function ownQuery() {
  const { query, problem, is_pending: isPending } = state.header.link;
  const own = query ? [query] : [];
  if (!isPending && !problem) {
    if (state.cursor < lastStep()) own.push(`step=${state.cursor}`);
    if (state.lock) own.push(`head=${state.lock.layer}.${state.lock.head}`);
    if (state.watched) own.push(`at=${state.watched.position}`);
  }
  return own;
}

const isOwn = (piece) => [...new URLSearchParams(piece).keys()].some((name) => OWN_PARAMETERS.has(name));
function pieces() {
  return location.search.slice(1).split("&").filter(Boolean);
}
function ownPieces() {
  return pieces().filter(isOwn);
}

function addressNow() {
  const query = [...pieces().filter((piece) => !isOwn(piece)), ...ownQuery()].join("&");
  return location.pathname + (query ? `?${query}` : "") + location.hash;
}

function writeAddress() {
  clearTimeout(addressTimer);
  addressTimer = 0;
  const address = addressNow();
  if (address === location.pathname + location.search + location.hash) return;
  addressedAt = performance.now();
  history.replaceState(history.state, "", address);
}

// Write it soon, and at most once in each `ADDRESS_MS`.
export function keepAddress() {
  if (addressTimer || isAlone) return;
  const wait = Math.max(0, addressedAt + ADDRESS_MS - performance.now());
  addressTimer = setTimeout(() => {
    addressTimer = 0;
    if (state.header) writeAddress();
  }, wait);
}

// What a page below the stage says since the stage's newest message.
export function relink({ query, problem }) {
  if (!state.header || state.header.link.is_pending) return;
  Object.assign(state.header.link, { query, problem });
  requestPaint();
}

// A page outlives its session if the connection is lost for long. Streamlit tells the new one of the address that the
// page was opened with; the one that it has now is read in a new page.
export function isAnotherVisit({ link: { visit } }) {
  const isAnother = state.visit !== "" && state.visit !== visit;
  state.visit = visit;
  return isAnother && ownPieces().length > 0;
}

// The run of the address is on the stage: its step, head and watched position, once.
export function arrive({ run, link: { arrival } }) {
  if (!arrival || arrival.run !== run || state.arrived === run) return;
  state.arrived = run;
  state.playback = STILL;
  setLock(arrival.head && { layer: arrival.head[0], head: arrival.head[1] });
  if (arrival.watched === null) unwatch();
  else watch(arrival.watched);
  moveTo(arrival.step);
}

export function wireCopyLink({ copyLink, copied, copiedText, copiedLink }) {
  let timer = 0;
  const say = (text, link = "") => {
    clearTimeout(timer);
    setText(copiedText, text);
    copiedLink.hidden = !link;
    copiedLink.value = link;
    copied.hidden = false;
    if (link) copiedLink.select();
    else {timer = setTimeout(() => {
        copied.hidden = true;
      }, 4000);}
  };
  copyLink.addEventListener("click", async (event) => {
    if (!state.header) return;
    if (event.detail > 0) copyLink.blur();
    const { problem } = state.header.link;
    if (problem) return say(problem);
    writeAddress();
    try {
      await navigator.clipboard.writeText(location.href);
      say("Copied.");
    } catch {
      say("Your browser did not allow it; copy the link here.", location.href);
    }
  });
  copied.addEventListener("keydown", (event) => {
    event.stopPropagation(); // what is typed here is no shortcut, ours or Streamlit's
    if (event.key !== "Escape") return;
    copied.hidden = true;
    copyLink.focus();
  });
  copied.addEventListener("focusout", () => {
    copied.hidden = true;
  });
}

export function paintCopyLink({ copyLink }) {
  const { problem } = state.header.link;
  copyLink.title = problem || "Copy a link to this run, at this step";
  copyLink.classList.toggle("without", Boolean(problem)); // a press says why
}
