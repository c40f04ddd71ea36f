// The cursor and what moves it: recorded steps are replayed here; at their end Python is asked for more.

let replayDue = 0;
let needTimer = 0;

function lastStep() { return Math.max(0, stepCount() - 1); }

function tellView() {
  // While tokens arrive, the live page asks nothing of Python but more of them.
  if (memory.mode === "generate" && memory.header.view === "live") return;
  const tell = memory.header.view === "strip" ? sendSoon : sendLater; // the pictures under a strip follow as they can
  tell("view", 150, () => ({
    cursor: memory.cursor, layer: memory.lock ? memory.lock.layer : null, head: memory.lock ? memory.lock.head : null,
    paint_ms: paintTime(),
  }));
}

function moveTo(step) {
  const to = Math.min(lastStep(), Math.max(0, step));
  if (to !== memory.cursor) {
    memory.cursor = to;
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
  memory.asked = send(name, values);
  memory.askedName = name;
  memory.held = false;
}

function pause() {
  if (memory.mode === "generate") send("pause");
  memory.mode = "still";
  memory.stepTo = -1;
  tellView();
  requestPaint();
}

function generate() {
  memory.mode = "generate";
  ask("play", { cursor: memory.cursor, ...settingValues() });
  requestPaint();
}

function replay() {
  memory.mode = "replay";
  replayDue = performance.now();
  requestAnimationFrame(replayTick);
  requestPaint();
}

function togglePlay() {
  if (memory.mode !== "still") return pause();
  if (!stepCount()) return runPrompt();
  if (memory.held || memory.cursor < lastStep()) return memory.held ? generate() : replay();
  const { kind } = memory.header.status;
  if (memory.header.recorded && (kind === "loading" || kind === "error") && lastStep() > 0) {
    moveTo(0); // no engine to go on with: the recorded run from its start
    return replay();
  }
  return generate();
}

function replayTick(now) {
  if (memory.mode !== "replay") return;
  if (now >= replayDue && (memory.cursor >= lastStep() || recordAt(memory.cursor + 1))) {
    if (memory.cursor >= lastStep()) {
      memory.mode = "still";
      if (["ready", "paused", "running"].includes(memory.header.status.kind)) generate();
      else requestPaint();
      return;
    }
    replayDue = Math.max(replayDue + 1000 / (memory.speed > 0 ? memory.speed : 60), now);
    moveTo(memory.cursor + 1);
  }
  requestAnimationFrame(replayTick);
}

function forward() {
  if (!stepCount()) return;
  if (memory.mode !== "still") pause();
  if (memory.cursor < lastStep() && !memory.held) return moveTo(memory.cursor + 1);
  memory.stepTo = memory.cursor + 1;
  ask("step", { cursor: memory.cursor, ...settingValues() });
}

function runPrompt() {
  const text = stageNow ? stageNow.parts.text.value : memory.header.prompt;
  memory.mode = "generate";
  ask("run", { text, ...settingValues() });
  requestPaint();
}

// A new message: keep the cursor where it belongs, follow what is being generated, notice its end.
function follow(header) {
  const answered = header.echo >= memory.asked;
  const running = header.status.kind === "running";
  if (header.run !== memory.run) {
    const ours = answered && (memory.mode === "generate" || memory.stepTo >= 0);
    memory.run = header.run;
    memory.paints = [];
    if (memory.mode === "replay") memory.mode = "still";
    if (!ours) {
      memory.cursor = lastStep();
      memory.mode = running ? "generate" : "still";
    }
    if (memory.lock && (memory.lock.layer >= header.n_layer || memory.lock.head >= header.n_head)) memory.lock = null;
    tellView();
  }
  if (memory.stepTo >= 0 && answered) {
    if (stepCount() > memory.stepTo) {
      if (recordAt(memory.stepTo)) { moveTo(memory.stepTo); memory.stepTo = -1; }
    } else if (!running) memory.stepTo = -1;
  }
  if (memory.mode === "generate" && answered) {
    moveTo(newestKnown());
    if (!running && memory.cursor === lastStep()) {
      memory.mode = "still";
      tellView();
    }
  }
  if (memory.cursor > lastStep()) moveTo(lastStep());
  askForMissing();
}

// Ask for records that have not come by themselves after a moment, nearest to the cursor first.
function askForMissing() {
  if (needTimer || !missingSteps().length) return;
  needTimer = setTimeout(() => {
    needTimer = 0;
    const steps = missingSteps().slice(0, 64);
    if (steps.length && !isPending("need")) send("need", { run_id: memory.run, steps });
  }, 300);
}

function lockHead(layer, head) {
  memory.lock = { layer, head };
  tellView();
  requestPaint();
}

function unlockHead() {
  if (!memory.lock) return;
  memory.lock = null;
  tellView();
  requestPaint();
}

function moveLayer(by) {
  const record = recordAt(memory.cursor);
  if (!record) return;
  const { layer, head } = shownHead(record);
  lockHead(Math.min(memory.header.n_layer - 1, Math.max(0, layer + by)), head);
}
