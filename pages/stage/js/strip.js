// The token strip and its scrubber, the transport's state, and the status of the run.

const STATES = {
  recorded: "", loading: "loading", running: "running", paused: "paused", ended: "text ended",
  full: "context full", error: "error",
};
const END_OF_TEXT = "<|endoftext|>";

function wireStrip(parts) {
  parts.tokens.addEventListener("click", (event) => {
    const at = event.target.dataset.at;
    if (at !== undefined) goTo(Math.min(lastStep(), stepOfPosition(Number(at))));
  });
  parts.scrubber.addEventListener("input", () => goTo(Number(parts.scrubber.value)));
  const clicks = {
    first: () => goTo(0), back: () => goTo(state.cursor - 1), play: togglePlay, forward, last: () => goTo(lastStep()),
    run: runPrompt,
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

function paintTransport(parts, record) {
  const word = isPlaying() ? "Pause" : "Play";
  if (parts.play.dataset.word !== word) {
    parts.play.dataset.word = word;
    parts.sign.innerHTML = isPlaying() ? ICONS.pause : ICONS.play;
    setText(parts.word, word);
    parts.play.setAttribute("aria-label", word);
    parts.play.title = `${word} (Space)`;
  }
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
