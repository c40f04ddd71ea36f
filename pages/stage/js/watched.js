// The watched position: a token of the prompt that a person looks at, the same on every page. Pictures that
// have a row or a column for it mark it. It lives here alone; Python is told of it as of the cursor.

import { wholePercent } from "../../look/numbers.js";
import { spoken } from "../../look/tokens.js";
import { tellView } from "./cursor.js";
import { sayInto } from "./markup.js";
import { requestPaint } from "./now.js";
import { state, weight } from "./store.js";

const WATCH_CHANGED = "gpt2-watch"; // pages/matrix/matrix.js listens

export function isWatched(at) {
  return state.watched?.position === at;
}

function setWatched(watched) {
  state.watched = watched;
  tellView();
  requestPaint();
  dispatchEvent(new CustomEvent(WATCH_CHANGED));
}

export function watch(position) {
  setWatched({ position, label: state.header.labels[position] });
}

// Whether there was anything to let go.
export function unwatch() {
  const was = state.watched;
  if (was) setWatched(null);
  return Boolean(was);
}

// A run that goes on from another has the same prompt; a new prompt is not looked at yet.
export function unwatchIfGone({ labels, prompt_tokens: prompt }) {
  const { watched } = state;
  if (watched && (watched.position >= prompt || labels[watched.position] !== watched.label)) unwatch();
}

export function watchedSentence() {
  const { watched } = state;
  return watched ? `Looking at position ${watched.position}, ${watched.label}, of the prompt.` : "";
}

export function paintWatched({ watching }) {
  const { watched } = state;
  watching.hidden = !watched;
  if (!watched) return;
  sayInto(watching, [`Looking at position ${watched.position}, `, spoken(watched.label), ", of the prompt · Esc"]);
  watching.title = "Let this position go (Esc)";
  watching.setAttribute("aria-label", `${watchedSentence()} Let it go`);
}

// What the newest token gives to the watched position in one head, in the words of that head's panel.
export function sayWatchedShare(layer, head, record) {
  const { position, label } = state.watched, value = weight(layer, head, record.stop - 1, position);
  if (value === undefined) return null;
  return ["rows ask, columns answer · ", wholePercent(value / 65535), " on ", spoken(label), `, position ${position}`];
}
