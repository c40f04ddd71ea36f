// What this browser holds: records by stamp, the last few runs, the cursor and the lock. It outlives page changes.

import { readMessage } from "./records.js";

const KEPT_RUNS = 3, KEPT_NUMBERS = 16;
export const shared = (globalThis.gpt2Stage ??= { waiting: [] });
// Whether the run is in a file of its own: nobody hears what is asked for. See pages/stage/replay.py.
export const isAlone = Boolean(shared.isAlone);
export const state = (shared.state ??= {
  epoch: "", // which process of the server numbered the records; another one starts anew
  records: new Map(), // by stamp
  runs: [], // the newest few, as { id, stamps }
  seen: [], // the numbers of the newest messages, for Python to know which were lost
  standIns: [], // by step: a record of the same step under another stamp, until its own has come
  header: null, // of the newest message
  run: "", // the id of the run on the stage
  cursor: 0, // the step shown
  lock: null, // the head that a click has locked, as { layer, head }
  watched: null, // the position of the prompt that a person looks at, as { position, label }; see watched.js
  follows: null, // whether that is each step's sharpest instead; null until the browser was asked
  playback: { kind: "still" }, // what moves the cursor; see playback.js
  held: false, // settings were changed before the last step: Play goes on from the cursor with them
  visit: "", // which visit of the server's the newest message is of
  arrived: "", // the run of the address, once its step, head and position have been shown
  typed: {}, // settings as typed, by name, until Python has taken them all
  draft: null, // the prompt as typed; null if it is the header's
  judged: null, // the text that the header's `draft_error` is about
  chosenModel: null, // the model chosen in the list, until Python has answered
  typesModel: false, // whether the line for a model that is not in the list is open
  typedModel: "", // the model typed there, until another is chosen in the list
  opened: "", // the number whose arithmetic is shown; see number.js
  mounts: 0, // how many stages have been built
  painted: 0, // how many frames have been painted
  paints: [], // what the newest steps of this run took to paint, in milliseconds
});

function ascending(a, b) {
  return a - b;
}

export function receive(bytes) {
  const { header, records } = readMessage(bytes);
  if (header.epoch !== state.epoch) {
    state.records.clear();
    state.runs = [];
    state.seen = [];
    state.header = null;
    state.epoch = header.epoch;
  }
  for (const [stamp, record] of records) state.records.set(stamp, record);
  if (!state.seen.includes(header.number)) {
    state.seen = [...state.seen, header.number].sort(ascending).slice(-KEPT_NUMBERS);
  }
  // Of calls that overtook each other the older brings its records and says nothing: see pages/look/calls.js.
  const newest = state.header;
  if (newest?.link.visit === header.link.visit && header.number < newest.number) return newest;
  state.standIns = findStandIns(header, state.header);
  state.runs = [{ id: header.run, stamps: header.stamps }, ...state.runs.filter((run) => run.id !== header.run)];
  state.runs.length = Math.min(state.runs.length, KEPT_RUNS);
  const wanted = new Set(state.runs.flatMap((run) => run.stamps));
  for (const stamp of state.records.keys()) if (!wanted.has(stamp)) state.records.delete(stamp);
  state.header = header;
  return header;
}

// A run that is replayed has new stamps, and so has one whose model has been loaded since. Until their records have
// come, those of the same steps stand in: the same model read the same tokens. So nothing that was shown goes blank.
function findStandIns(header, before) {
  const found = [];
  if (!before || header.stamps.every((stamp) => state.records.has(stamp))) return found;
  if (["run_model", "prompt_tokens", "n_layer", "n_head"].some((name) => header[name] !== before[name])) return found;
  const differs = header.labels.findIndex((label, at) => label !== before.labels[at]);
  const shared = differs < 0 ? header.labels.length : differs;
  header.stamps.forEach((stamp, step) => {
    const record = state.records.get(before.stamps[step]) ?? state.standIns[step];
    if (!state.records.has(stamp) && record && record.stop <= shared) found[step] = record;
  });
  return found;
}

export function stepCount() {
  return state.header ? state.header.stamps.length : 0;
}

export function recordAt(step) {
  return state.header ? state.records.get(state.header.stamps[step]) : undefined;
}

// What can be shown of a step: its record, or one that stands in for it and tells of the same draw.
export function shownAt(step) {
  const standIn = state.standIns[step];
  const isSameDraw = standIn && state.header.labels[standIn.stop] === standIn.next?.label;
  return recordAt(step) ?? (isSameDraw ? standIn : undefined);
}

// The newest step that can be shown.
export function newestKnown() {
  let step = stepCount() - 1;
  while (step > 0 && !shownAt(step)) step -= 1;
  return step;
}

export function missingSteps() {
  const missing = [];
  for (let step = 0; step < stepCount(); step += 1) if (!recordAt(step)) missing.push(step);
  return missing.sort((a, b) => Math.abs(a - state.cursor) - Math.abs(b - state.cursor));
}

// Step 0 took the whole prompt, every later step one position.
export function stepOfPosition(position) {
  return Math.max(0, position - state.header.prompt_tokens + 1);
}

// Where one query's weights lie in its record: pattern[(head * rows + row) * width + width - 1 - back].
export function patternRow(query) {
  const step = stepOfPosition(query), record = recordAt(step) ?? state.standIns[step]; // no draw changes a pattern
  if (!record || !record.pattern.length) return null; // it has not come, or its patterns were let go
  const [, , rows, width] = record.pattern.shape;
  const row = query - (record.stop - rows);
  return row < 0 ? null : { record, rows, width, row };
}

// One attention weight as 65,535ths; undefined where it has not come or is not kept.
export function weight(layer, head, query, key) {
  const place = patternRow(query);
  if (!place) return undefined;
  const at = (layer * state.header.n_head + head) * place.rows + place.row;
  if (key === 0) return place.record.first[at];
  const back = query - key;
  return back < place.width ? place.record.pattern[(at + 1) * place.width - 1 - back] : undefined;
}

// What the newest steps of this run took to draw, all panels, in milliseconds; null where none was drawn.
const KEPT_PAINTS = 50;
export function keepPaint(ms) {
  state.paints = [...state.paints, ms].slice(-KEPT_PAINTS);
}
export function paintTime() {
  const paints = [...state.paints].sort((a, b) => a - b);
  return paints.length ? paints[paints.length >> 1] : null;
}

// The range of positions that fits; it moves on in blocks of eight, so that the picture does not slide at every step.
const BLOCK = 8;
export function windowOf(seq, most) {
  const capacity = Math.max(BLOCK, Math.floor(most / BLOCK) * BLOCK);
  const from = seq <= capacity ? 0 : Math.ceil((seq - capacity) / BLOCK) * BLOCK;
  const size = from ? capacity : Math.min(capacity, Math.ceil(seq / BLOCK) * BLOCK);
  return { from, size };
}

export const FOLLOWS = "gpt2-follow-sharpest"; // where the browser keeps the switch of rest.js

// Whether the head shown large is each step's sharpest.
export function isFollowing() {
  try {
    state.follows ??= localStorage.getItem(FOLLOWS) === "yes";
  } catch {
    state.follows = false; // the browser lets no page keep it
  }
  return state.follows;
}
