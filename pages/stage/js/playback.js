// The cursor and what moves it: recorded steps are replayed here; at their end Python is asked for more.
//
// `state.playback` is one of
//   { kind: "still", asked? }        nothing moves the cursor, nor does another run that was asked for
//   { kind: "replay", due }          the clock does, through the steps at hand; `due` is the time of the next one
//   { kind: "generate", asked }      new steps do, as they come
//   { kind: "step", to, asked }      one new step does, once it has come
// `isPress` is whether a person pressed Run, Play or step for it, until that is answered.
// `asked` is the serial of the action that asked Python for them, 0 if nobody here did; no message counts before the
// one that answers it. `before` is the run that a new one is to replace: it stays until the new one has a step, and its
// cursor with it. People change the playback with the functions below, messages with `follow` alone.

import { isPlaying, lastStep, moveTo, pause, STILL } from "./cursor.js";
import { isDraft } from "./draft.js";
import { requestPaint, stageNow } from "./now.js";
import { send } from "./outbox.js";
import { settingValues } from "./setting_values.js";
import { isAlone, shownAt, state, stepCount } from "./store.js";

const REST_MS = 400; // within it no press takes a button for what it was before
let rests = false;

// Ask Python for steps: `playback` is what they do to the cursor.
export function ask(name, values, playback) {
  const asked = send(name, { ...values, ...settingValues() });
  state.playback = { isPress: true, wasHeld: state.held, ...playback, asked };
  state.held = false;
  requestPaint();
}

export function generate(isPress = true) {
  ask("play", { cursor: state.cursor }, { kind: "generate", isPress });
}

export function runPrompt() {
  const text = stageNow ? stageNow.parts.text.value : state.header.prompt;
  ask("run", { text }, { kind: "generate", before: state.run });
}

export function forward() {
  if (!stepCount()) return;
  if (isPlaying()) pause();
  if (state.cursor < lastStep() && !state.held) return moveTo(state.cursor + 1);
  if (!isAlone) ask("step", { cursor: state.cursor }, { kind: "step", to: state.cursor + 1 });
}

function replay() {
  state.playback = { kind: "replay", due: performance.now() };
  requestAnimationFrame(replayTick);
  requestPaint();
}

// A run that stops under a draft turns both buttons into others: a press that was on its way does nothing.
export function rest() {
  rests = true;
  setTimeout(() => {
    rests = false;
    requestPaint();
  }, REST_MS);
}

export function isResting() {
  return rests;
}

export function togglePlay() {
  if (isPlaying()) return pause();
  if (isResting()) return;
  if (isDraft() || !stepCount()) return runPrompt();
  if (state.held || state.cursor < lastStep()) return state.held ? generate() : replay();
  const { kind } = state.header.status, hasEngine = !isAlone && kind !== "loading" && kind !== "error";
  if (state.header.recorded && !hasEngine && lastStep() > 0) {
    moveTo(0); // the recorded run from its start
    return replay();
  }
  if (!isAlone) generate();
}

function replayTick(now) {
  const { playback } = state;
  if (playback.kind !== "replay") return;
  if (now >= playback.due && state.cursor >= lastStep()) return endReplay();
  if (now >= playback.due && shownAt(state.cursor + 1)) {
    const { speed } = state.header;
    playback.due = Math.max(playback.due + 1000 / (speed > 0 ? speed : 60), now);
    moveTo(state.cursor + 1);
  }
  requestAnimationFrame(replayTick);
}

function endReplay() {
  if (["paused", "running"].includes(state.header.status.kind)) return generate();
  state.playback = STILL;
  requestPaint();
}
