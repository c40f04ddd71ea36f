// What a message does to the playback and the cursor.

import { arrive } from "./address.js";
import { askForMissing, lastStep, moveTo, STILL, tellView } from "./cursor.js";
import { setLock } from "./lock.js";
import { showWrongSetting } from "./settings.js";
import { newestKnown, recordAt, state } from "./store.js";
import { unwatchIfGone } from "./watched.js";

export function follow(header) {
  if (header.run !== state.run) takeRun(header);
  if (state.playback.kind === "still" && isAnswer(header)) state.playback = STILL;
  const isRunning = header.status.kind === "running";
  if (state.playback.isPress && isAnswer(header)) endPress(isRunning);
  const { kind, to } = state.playback;
  if (kind === "step" && isAnswer(header)) {
    if (recordAt(to)) {
      moveTo(to);
      state.playback = STILL;
    } else if (to > lastStep() && !isRunning) state.playback = STILL; // the step was not made
  } else if (kind === "generate" && isAnswer(header)) {
    const isBefore = header.run === state.playback.before && (header.starting || !isRunning);
    if (!isBefore) moveTo(newestKnown());
    if (!isRunning && (isBefore || state.cursor === lastStep())) {
      state.playback = STILL;
      tellView();
    }
  }
  if (state.cursor > lastStep()) moveTo(lastStep());
  arrive(header);
  askForMissing();
}

// What was pressed is answered: if a wrong setting forbade it, it never happened, and the setting says why.
function endPress(isRunning) {
  const { wasHeld } = state.playback;
  state.playback = { ...state.playback, isPress: false };
  if (!showWrongSetting()) return;
  state.held = wasHeld;
  if (!isRunning) state.playback = STILL;
}

// Whether a message knows of the steps that were asked for; false if none were.
function isAnswer(header) {
  return header.echo >= state.playback.asked;
}

// Another run is on the stage. Unless it is the answer to what was asked for here, its newest step is shown, and
// followed while it runs.
function takeRun(header) {
  state.run = header.run;
  state.paints = [];
  state.arrived = "";
  unwatchIfGone(header);
  if (!isAnswer(header)) {
    state.cursor = lastStep();
    state.playback = header.status.kind === "running" ? { kind: "generate", asked: 0 } : STILL;
  }
  const { lock } = state;
  if (lock && (lock.layer >= header.n_layer || lock.head >= header.n_head)) setLock(null);
  else tellView();
}
