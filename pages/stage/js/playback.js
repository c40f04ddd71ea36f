// The cursor and what moves it: recorded steps are replayed here; at their end Python is asked for more.

let replayDue = 0;
let needTimer = 0;

function lastStep() { return Math.max(0, stepCount() - 1); }

function tellView() {
  // While tokens arrive, the live page asks nothing of Python but more of them.
  if (state.mode === "generate" && state.header.view === "live") return;
  const tell = state.header.view === "strip" ? sendSoon : sendLater; // the pictures under a strip follow as they can
  tell("view", 150, () => ({
    cursor: state.cursor, layer: state.lock ? state.lock.layer : null, head: state.lock ? state.lock.head : null,
    paint_ms: paintTime(),
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

function ask(name, values) {
  state.asked = send(name, values);
  state.askedName = name;
  state.held = false;
}

function pause() {
  if (state.mode === "generate") send("pause");
  state.mode = "still";
  state.stepTo = -1;
  tellView();
  requestPaint();
}

function generate() {
  state.mode = "generate";
  ask("play", { cursor: state.cursor, ...settingValues() });
  requestPaint();
}

function replay() {
  state.mode = "replay";
  replayDue = performance.now();
  requestAnimationFrame(replayTick);
  requestPaint();
}

function togglePlay() {
  if (state.mode !== "still") return pause();
  if (!stepCount()) return runPrompt();
  if (state.held || state.cursor < lastStep()) return state.held ? generate() : replay();
  const { kind } = state.header.status;
  if (state.header.recorded && (kind === "loading" || kind === "error") && lastStep() > 0) {
    moveTo(0); // no engine to go on with: the recorded run from its start
    return replay();
  }
  return generate();
}

function replayTick(now) {
  if (state.mode !== "replay") return;
  if (now >= replayDue && (state.cursor >= lastStep() || recordAt(state.cursor + 1))) {
    if (state.cursor >= lastStep()) {
      state.mode = "still";
      if (["ready", "paused", "running"].includes(state.header.status.kind)) generate();
      else requestPaint();
      return;
    }
    replayDue = Math.max(replayDue + 1000 / (state.speed > 0 ? state.speed : 60), now);
    moveTo(state.cursor + 1);
  }
  requestAnimationFrame(replayTick);
}

function forward() {
  if (!stepCount()) return;
  if (state.mode !== "still") pause();
  if (state.cursor < lastStep() && !state.held) return moveTo(state.cursor + 1);
  state.stepTo = state.cursor + 1;
  ask("step", { cursor: state.cursor, ...settingValues() });
}

function runPrompt() {
  const text = stageNow ? stageNow.parts.text.value : state.header.prompt;
  state.mode = "generate";
  ask("run", { text, ...settingValues() });
  requestPaint();
}

// A new message: keep the cursor where it belongs, follow what is being generated, notice its end.
function follow(header) {
  const answered = header.echo >= state.asked;
  const running = header.status.kind === "running";
  if (header.run !== state.run) {
    const ours = answered && (state.mode === "generate" || state.stepTo >= 0);
    state.run = header.run;
    state.paints = [];
    if (state.mode === "replay") state.mode = "still";
    if (!ours) {
      state.cursor = lastStep();
      state.mode = running ? "generate" : "still";
    }
    if (state.lock && (state.lock.layer >= header.n_layer || state.lock.head >= header.n_head)) state.lock = null;
    tellView();
  }
  if (state.stepTo >= 0 && answered) {
    if (stepCount() > state.stepTo) {
      if (recordAt(state.stepTo)) { moveTo(state.stepTo); state.stepTo = -1; }
    } else if (!running) state.stepTo = -1;
  }
  if (state.mode === "generate" && answered) {
    moveTo(newestKnown());
    if (!running && state.cursor === lastStep()) {
      state.mode = "still";
      tellView();
    }
  }
  if (state.cursor > lastStep()) moveTo(lastStep());
  askForMissing();
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

function lockHead(layer, head) {
  state.lock = { layer, head };
  tellView();
  requestPaint();
}

function unlockHead() {
  if (!state.lock) return;
  state.lock = null;
  tellView();
  requestPaint();
}

function moveLayer(by) {
  const record = recordAt(state.cursor);
  if (!record) return;
  const { layer, head } = shownHead(record);
  lockHead(Math.min(state.header.n_layer - 1, Math.max(0, layer + by)), head);
}
