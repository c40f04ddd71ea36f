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

const STILL = { kind: "still" };
let needTimer = 0;

function isPlaying() { return state.playback.kind === "replay" || state.playback.kind === "generate"; }

function lastStep() { return Math.max(0, stepCount() - 1); }

function tellView() {
  // While tokens arrive, the live page asks nothing of Python but more of them.
  if (state.playback.kind === "generate" && state.header.view === "live") return;
  const tell = state.header.view === "strip" ? sendSoon : sendLater; // the pictures under a strip follow as they can
  tell("view", 150, () => ({
    cursor: state.cursor, layer: state.lock ? state.lock.layer : null, head: state.lock ? state.lock.head : null,
    paint_ms: paintTime(), is_narrow: stageNow ? stageNow.isNarrow : false, follows: isFollowing(),
    watched: state.watched ? state.watched.position : null,
  }));
}

function moveTo(step) {
  const to = Math.min(lastStep(), Math.max(0, step));
  if (to !== state.cursor) {
    state.cursor = to;
    tellView();
  }
  askForMissing();
  requestPaint();
}

// A person took the cursor: whatever was playing stops.
function goTo(step) {
  pause();
  moveTo(step);
}

function pause() {
  if (state.playback.kind === "generate") send("pause");
  state.playback = STILL;
  tellView();
  requestPaint();
}

// Ask Python for steps: `playback` is what they do to the cursor.
function ask(name, values, playback) {
  const asked = send(name, { ...values, ...settingValues() });
  state.playback = { isPress: true, wasHeld: state.held, ...playback, asked };
  state.held = false;
  requestPaint();
}

function generate(isPress = true) { ask("play", { cursor: state.cursor }, { kind: "generate", isPress }); }

function runPrompt() {
  const text = stageNow ? stageNow.parts.text.value : state.header.prompt;
  ask("run", { text }, { kind: "generate", before: state.run });
}

function forward() {
  if (!stepCount()) return;
  if (isPlaying()) pause();
  if (state.cursor < lastStep() && !state.held) return moveTo(state.cursor + 1);
  ask("step", { cursor: state.cursor }, { kind: "step", to: state.cursor + 1 });
}

function replay() {
  state.playback = { kind: "replay", due: performance.now() };
  requestAnimationFrame(replayTick);
  requestPaint();
}

function togglePlay() {
  if (isPlaying()) return pause();
  if (isResting()) return;
  if (isDraft() || !stepCount()) return runPrompt();
  if (state.held || state.cursor < lastStep()) return state.held ? generate() : replay();
  const { kind } = state.header.status;
  if (state.header.recorded && (kind === "loading" || kind === "error") && lastStep() > 0) {
    moveTo(0); // no engine to go on with: the recorded run from its start
    return replay();
  }
  return generate();
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

// A new message: what it does to the playback and the cursor.
function follow(header) {
  if (header.run !== state.run) takeRun(header);
  if (state.playback.kind === "still" && isAnswer(header)) state.playback = STILL;
  const isRunning = header.status.kind === "running";
  if (state.playback.isPress && isAnswer(header)) endPress(isRunning);
  const { kind, to } = state.playback;
  if (kind === "step" && isAnswer(header)) {
    if (recordAt(to)) { moveTo(to); state.playback = STILL; }
    else if (to > lastStep() && !isRunning) state.playback = STILL; // the step was not made
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
function isAnswer(header) { return header.echo >= state.playback.asked; }

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

// Ask for records that have not come by themselves after a moment, nearest to the cursor first.
function askForMissing() {
  if (needTimer || !missingSteps().length) return;
  needTimer = setTimeout(() => {
    needTimer = 0;
    const steps = missingSteps().slice(0, 64);
    if (steps.length && !isPending("need")) send("need", { run_id: state.run, steps });
  }, 300);
}
