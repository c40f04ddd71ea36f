// The token strip and its scrubber, the transport's state, and the status of the run.

const STATES = {
  recorded: "", loading: "loading", running: "running", paused: "paused", ended: "text ended",
  full: "context full", error: "error",
};
const SIGNS = { Play: ICONS.play, Pause: ICONS.pause, Run: ICONS.run };
const TITLES = {
  Play: "Play (Space)",
  Pause: "Pause (Space)",
  Run: "Run this prompt (Enter)",
  Discard: "Back to the run's prompt (Esc twice)",
};
const REST_MS = 400;
let wasPlaying = false;
let rests = false;

const END_OF_TEXT = "<|endoftext|>";

function wireStrip(parts) {
  parts.tokens.addEventListener("click", (event) => {
    const at = event.target.dataset.at;
    if (at !== undefined) goTo(Math.min(lastStep(), stepOfPosition(Number(at))));
  });
  parts.scrubber.addEventListener("input", () => goTo(Number(parts.scrubber.value)));
  const clicks = {
    first: () => goTo(0), back: () => goTo(state.cursor - 1), play: togglePlay, forward, last: () => goTo(lastStep()),
    run: runOrDiscard,
  };
  for (const [name, action] of Object.entries(clicks)) parts[name].addEventListener("click", () => action());
}

function paintStrip(parts, record) {
  const { labels, prompt_tokens: prompt } = state.header;
  const { tokens, scrubber } = parts;
  while (tokens.children.length > labels.length) tokens.lastElementChild.remove();
  while (tokens.children.length < labels.length) {
    const span = document.createElement("span");
    span.dataset.at = tokens.children.length;
    tokens.append(span);
  }
  const current = record ? record.stop - 1 : -1;
  let mark = null;
  labels.forEach((label, at) => {
    const span = tokens.children[at];
    setText(span, label);
    const kind = [at < prompt ? "given" : "made"];
    if (label === END_OF_TEXT) kind.push("end");
    if (at === current) { kind.push("current"); mark = span; }
    else if (at === current + 1 && record && record.next) kind.push("next");
    else if (at > current) kind.push("later");
    const name = kind.join(" ");
    if (span.className !== name) span.className = name;
  });
  keepInView(tokens, mark);
  scrubber.max = lastStep();
  scrubber.value = state.cursor;
  scrubber.style.setProperty("--done", `${lastStep() ? (100 * state.cursor) / lastStep() : 100}%`);
  scrubber.setAttribute("aria-valuetext", `step ${state.cursor} (0 to ${lastStep()})`);
}

function keepInView(tokens, mark) {
  if (!mark || tokens.scrollWidth <= tokens.clientWidth) return;
  const right = mark.offsetLeft + mark.offsetWidth - tokens.scrollLeft;
  const room = tokens.clientWidth;
  if (right > room * 0.85 || mark.offsetLeft - tokens.scrollLeft < room * 0.15) {
    tokens.scrollLeft = mark.offsetLeft - room * 0.7;
  }
}

// A draft is run by the large button, and discarded by the small one; while a run goes on the large one is Pause, and
// the small one runs the draft. Just one of them is Run at any time.
function paintButtons(parts) {
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
  for (const button of [parts.play, parts.run]) button.setAttribute("aria-disabled", String(rests));
}

// A run that stops under a draft turns both buttons into others: a press that was on its way does nothing.
function rest() {
  rests = true;
  setTimeout(() => { rests = false; requestPaint(); }, REST_MS);
}

function isResting() { return rests; }

function runOrDiscard() {
  if (isResting()) return;
  if (isDraft() && !isPlaying()) discard();
  else runPrompt();
}

function paintTransport(parts) {
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
