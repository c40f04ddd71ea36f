// The prompt: a real text field that keeps every blank, a live token count, and one red sentence if it cannot run.
// A text that is not the run's is a draft until it is run, or discarded.

import { discard, isDraft } from "./draft.js";
import { setText } from "./markup.js";
import { send, sendLater } from "./outbox.js";
import { runPrompt } from "./playback.js";
import { settingValues, wrongSetting } from "./setting_values.js";
import { state } from "./store.js";
import { paintButtons } from "./strip.js";

const RESTING = new Set(["recorded", "paused", "ended", "full"]); // of these the sentence is shown, if it is news
const TWICE_MS = 1500; // Esc again within this time is the second press of two
let leftBoxAt = -Infinity; // when Esc was pressed in the box

// Run uses another model now, which may read a longer text, or know more tokens.
export function judgeAnew() {
  if (isDraft()) send("draft", { text: state.draft });
  if (wrongSetting()) send("settings", { cursor: state.cursor, ...settingValues() });
}

// Esc a second time, after the one that left the box: whether there was a draft to discard.
export function discardTwice() {
  if (!isDraft() || performance.now() - leftBoxAt > TWICE_MS) return false;
  discard();
  return true;
}

export function wirePrompt(parts) {
  const { text } = parts;
  text.addEventListener("input", () => {
    state.draft = text.value;
    sendLater("draft", 200, () => ({ text: text.value }));
    paintPrompt(parts); // at once, so that no press falls on a button that is about to be another
    paintButtons(parts);
    fitPrompt(parts);
  });
  text.addEventListener("keydown", (event) => {
    event.stopPropagation(); // what is typed here is no shortcut, ours or Streamlit's
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      text.blur();
      runPrompt();
    } else if (event.key === "Escape") {
      text.blur();
      leftBoxAt = performance.now();
    }
  });
  text.addEventListener("focus", () => fitPrompt(parts));
  text.addEventListener("blur", () => {
    fitPrompt(parts);
    text.scrollTop = 0;
  });
}

// While it has the focus the field may grow to three lines, over what lies below. On a narrow screen it is as high
// without the focus too: a button that is tapped must not move when the tap takes the focus away.
export function fitPrompt({ text, root }) {
  const grows = root.activeElement === text || text.closest(".stacked");
  text.style.height = "";
  if (!grows) return;
  const line = parseFloat(getComputedStyle(text).lineHeight);
  const room = text.scrollHeight - text.clientHeight;
  if (room > 1) text.style.height = `${text.offsetHeight + Math.min(Math.ceil(room) + 2, Math.round(2 * line))}px`;
}

export function paintPrompt(parts) {
  const { header } = state;
  const { text, box, unrun, count } = parts;
  if (state.draft === header.prompt) state.draft = null;
  const value = state.draft ?? header.prompt;
  if (text.value !== value) {
    text.value = value;
    fitPrompt(parts);
  }
  const isTyped = state.draft !== null || header.link.is_pending;
  const tokens = isTyped ? header.draft_tokens : header.prompt_tokens;
  setText(count, `${tokens ?? "–"} / ${header.context} tokens`);
  box.classList.toggle("draft", isDraft());
  unrun.hidden = !isDraft();
  paintMessage(parts, value);
}

// One sentence at a time: on the draft in the box, on the run, on the model, or news of a run at rest. News says what
// Play or Run would do, which is not so while there is a draft.
function paintMessage({ text, error, popover }, value) {
  const { draft_error: refusal, status, model_error: wrongModel } = state.header;
  const ofDraft = isDraft() && state.judged === value ? refusal : "";
  const ofRun = status.kind === "error" ? status.text : "";
  const ofModel = popover.hidden ? wrongModel : ""; // else it stands in there
  const news = RESTING.has(status.kind) && status.is_news && !isDraft() ? status.text : "";
  const wrong = ofDraft || ofRun || ofModel;
  setText(error, wrong || news);
  error.dataset.kind = wrong ? "error" : "notice";
  error.dataset.of = ofDraft ? "draft" : ofRun ? "run" : ofModel ? "model" : "news";
  text.setAttribute("aria-invalid", ofDraft ? "true" : "false");
}
