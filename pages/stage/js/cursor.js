// The cursor, which is the step that is shown, and whether something moves it; see playback.js.

import { requestPaint, stageNow } from "./now.js";
import { isPending, send, sendLater, sendSoon } from "./outbox.js";
import { isFollowing, missingSteps, paintTime, state, stepCount } from "./store.js";

export const STILL = { kind: "still" };
let needTimer = 0;

export function isPlaying() {
  return state.playback.kind === "replay" || state.playback.kind === "generate";
}

export function lastStep() {
  return Math.max(0, stepCount() - 1);
}

export function tellView() {
  // While tokens arrive, the live page asks nothing of Python but more of them.
  if (state.playback.kind === "generate" && state.header.view === "live") return;
  const tell = state.header.view === "strip" ? sendSoon : sendLater; // the pictures under a strip follow as they can
  tell("view", 150, () => ({
    cursor: state.cursor,
    layer: state.lock ? state.lock.layer : null,
    head: state.lock ? state.lock.head : null,
    paint_ms: paintTime(),
    is_narrow: stageNow ? stageNow.isNarrow : false,
    follows: isFollowing(),
    watched: state.watched ? state.watched.position : null,
  }));
}

export function moveTo(step) {
  const to = Math.min(lastStep(), Math.max(0, step));
  if (to !== state.cursor) {
    state.cursor = to;
    tellView();
  }
  askForMissing();
  requestPaint();
}

// A person took the cursor: whatever was playing stops.
export function goTo(step) {
  pause();
  moveTo(step);
}

export function pause() {
  if (state.playback.kind === "generate") send("pause");
  state.playback = STILL;
  tellView();
  requestPaint();
}

// Ask for records that have not come by themselves after a moment, nearest to the cursor first.
export function askForMissing() {
  if (needTimer || !missingSteps().length) return;
  needTimer = setTimeout(() => {
    needTimer = 0;
    const steps = missingSteps().slice(0, 64);
    if (steps.length && !isPending("need")) send("need", { run_id: state.run, steps });
  }, 300);
}
