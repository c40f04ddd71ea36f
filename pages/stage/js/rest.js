// The head shown large: the locked one; else it rests on one head while tokens come, so that two steps can be compared:
// on the one that pages/stage/rest.py chooses, as on the Attention page. A switch lets it follow each step's sharpest.

import { tellView } from "./cursor.js";
import { requestPaint } from "./now.js";
import { FOLLOWS, isFollowing, state } from "./store.js";

export function setFollows(follows) {
  state.follows = follows;
  try {
    localStorage.setItem(FOLLOWS, follows ? "yes" : "no");
  } catch { /* then it is as long as the page */ }
  tellView();
  requestPaint();
}

export function sharpest(record) {
  const [layer, head] = record.sharpest;
  return { layer, head };
}

// The head shown large, and why it is this one, in a few words; none for a locked one, which a badge tells of.
export function shownHead(record) {
  if (state.lock) return { ...state.lock, locked: true, why: "" };
  const { rest } = state.header;
  if (isFollowing() || !rest) return { ...sharpest(record), locked: false, why: "the sharpest head of this step" };
  return { ...rest, locked: false, why: `rests on the sharpest head of step ${rest.step}` };
}

export function isSharpest({ layer, head }, record) {
  return layer === record.sharpest[0] && head === record.sharpest[1];
}
