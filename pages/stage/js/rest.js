// The head shown large: the locked one; else it rests on one head while tokens come, so that two steps can be compared:
// on the one that was sharpest at the first step shown of these tokens. A switch lets it follow each step's sharpest.
// So does the frame on the Attention page; pages/stage/rest.py has the same rule.

const FOLLOWS = "gpt2-follow-sharpest"; // where the browser keeps the switch

function isFollowing() {
  try { state.follows ??= localStorage.getItem(FOLLOWS) === "yes"; } catch { state.follows = false; } // none is kept
  return state.follows;
}

function setFollows(follows) {
  state.follows = follows;
  try { localStorage.setItem(FOLLOWS, follows ? "yes" : "no"); } catch { /* then it is as long as the page */ }
  tellView();
  requestPaint();
}

function sharpest(record) {
  const [layer, head] = record.sharpest;
  return { layer, head };
}

// What a step has read: by which model, and which tokens. Another run of them rests on the same head.
function readUpTo(stop) { return [state.header.run_model, ...state.header.labels.slice(0, stop)].join("\u0001"); }

function restingHead(record) {
  const { rest } = state;
  if (!rest || rest.read !== readUpTo(rest.stop)) {
    state.rest = { ...sharpest(record), step: state.cursor, stop: record.stop, read: readUpTo(record.stop) };
  }
  return state.rest;
}

// The head shown large, and why it is this one, in a few words; none for a locked one, which a badge tells of.
function shownHead(record) {
  if (state.lock) return { ...state.lock, locked: true, why: "" };
  if (isFollowing()) return { ...sharpest(record), locked: false, why: "the sharpest head of this step" };
  const { layer, head, step } = restingHead(record);
  return { layer, head, locked: false, why: `rests on the sharpest head of step ${step}` };
}

function isSharpest({ layer, head }, record) {
  return layer === record.sharpest[0] && head === record.sharpest[1];
}
