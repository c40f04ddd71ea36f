// The token strip and its scrubber, the transport's state, and the status of the run.

import { milliseconds } from "../../look/numbers.js";
import { goTo, isPlaying, lastStep } from "./cursor.js";
import { discard, isDraft } from "./draft.js";
import { ICONS, sayInto, setText } from "./markup.js";
import { forward, isResting, rest, runPrompt, togglePlay } from "./playback.js";
import { state } from "./store.js";
import { paintTokens, wireTokens } from "./token_list.js";
import { wireUnfold } from "./unfold.js";
import { paintWatched, unwatch } from "./watched.js";

const STATES = {
  recorded: "",
  loading: "loading",
  running: "running",
  paused: "paused",
  ended: "text ended",
  full: "context full",
  error: "error",
};
const SIGNS = { Play: ICONS.play, Pause: ICONS.pause, Run: ICONS.run };
const TITLES = {
  Play: "Play (Space)",
  Pause: "Pause (Space)",
  Run: "Run this prompt (Enter)",
  Discard: "Back to the run's prompt (Esc twice)",
};
let wasPlaying = false;

export function wireStrip(stage) {
  const { parts } = stage;
  wireTokens(stage);
  wireUnfold(parts);
  parts.watching.addEventListener("click", unwatch);
  parts.scrubber.addEventListener("input", () => goTo(Number(parts.scrubber.value)));
  const clicks = {
    first: () => goTo(0),
    back: () => goTo(state.cursor - 1),
    play: togglePlay,
    forward,
    last: () => goTo(lastStep()),
    run: runOrDiscard,
  };
  for (const [name, action] of Object.entries(clicks)) parts[name].addEventListener("click", () => action());
}

export function paintStrip(stage, record) {
  const { scrubber } = stage.parts;
  paintTokens(stage, record);
  paintWatched(stage.parts);
  scrubber.max = lastStep();
  scrubber.value = state.cursor;
  scrubber.style.setProperty("--done", `${lastStep() ? (100 * state.cursor) / lastStep() : 100}%`);
  scrubber.setAttribute("aria-valuetext", `step ${state.cursor} (0 to ${lastStep()})`);
}

// A draft is run by the large button, and discarded by the small one; while a run goes on the large one is Pause, and
// the small one runs the draft. Just one of them is Run at any time.
export function paintButtons(parts) {
  const isOn = isPlaying(), draft = isDraft();
  const word = isOn ? "Pause" : draft ? "Run" : "Play";
  if (parts.play.dataset.word !== word) {
    parts.play.dataset.word = word;
    parts.sign.innerHTML = SIGNS[word];
    setText(parts.word, word);
    parts.play.setAttribute("aria-label", word);
    parts.play.title = TITLES[word];
  }
  const other = draft && !isOn ? "Discard" : "Run";
  setText(parts.run, other);
  parts.run.title = TITLES[other];
  if (wasPlaying && !isOn && draft) rest();
  wasPlaying = isOn;
  for (const button of [parts.play, parts.run]) button.setAttribute("aria-disabled", String(isResting()));
}

function runOrDiscard() {
  if (isResting()) return;
  if (isDraft() && !isPlaying()) discard();
  else runPrompt();
}

export function paintTransport(parts) {
  paintButtons(parts);
  parts.first.disabled = parts.back.disabled = state.cursor <= 0;
  parts.last.disabled = state.cursor >= lastStep();
  paintStatus(parts);
}

function paintStatus(parts) {
  const { header } = state;
  const facts = [`${header.n_layer} layers × ${header.n_head} heads`], { token_time: time } = header;
  if (time) facts.push(`${milliseconds(time.ms)}/${time.unit}`);
  sayInto(parts.facts, ["", header.run_model, ` · ${facts.join(" · ")}`]);
  if (time) parts.facts.title = time.says;
  const { kind, text } = header.status;
  parts.status.dataset.kind = kind;
  parts.badge.hidden = !header.recorded;
  const tells = kind === "loading" || (kind === "running" && header.status.is_news);
  setText(parts.statusText, kind === "recorded" ? "" : tells ? text : STATES[kind]);
  parts.status.title = text;
}
