// The prompt: a real text field that keeps every blank, a live token count, and one red sentence if it cannot run.

const RESTING = new Set(["recorded", "paused", "ended", "full"]); // of these the sentence is shown, if it is news

function wirePrompt(parts) {
  const { text } = parts;
  text.addEventListener("input", () => {
    state.draft = text.value;
    sendLater("draft", 200, () => ({ text: text.value }));
    fitPrompt(parts);
  });
  text.addEventListener("keydown", (event) => {
    event.stopPropagation(); // what is typed here is no shortcut, ours or Streamlit's
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      text.blur();
      runPrompt();
    } else if (event.key === "Escape") text.blur();
  });
  text.addEventListener("focus", () => fitPrompt(parts));
  text.addEventListener("blur", () => { fitPrompt(parts); text.scrollTop = 0; });
}

// While it has the focus the field may grow to three lines, over what lies below.
function fitPrompt({ text, root }) {
  const focused = root.activeElement === text;
  text.style.height = "";
  if (!focused) return;
  const line = parseFloat(getComputedStyle(text).lineHeight);
  const room = text.scrollHeight - text.clientHeight;
  if (room > 1) text.style.height = `${text.offsetHeight + Math.min(Math.ceil(room) + 2, Math.round(2 * line))}px`;
}

function paintPrompt(parts) {
  const { header } = state;
  const { text, count, error, root } = parts;
  if (header.prompt !== state.promptSeen) {
    if (state.draft === state.promptSeen || root.activeElement !== text) state.draft = null;
    state.promptSeen = header.prompt;
  }
  const value = state.draft ?? header.prompt;
  if (text.value !== value) {
    text.value = value;
    fitPrompt(parts);
  }
  const typed = state.draft !== null && state.draft !== header.prompt;
  const tokens = typed || header.link.is_pending ? header.draft_tokens : header.prompt_tokens;
  setText(count, `${tokens ?? "–"} / ${header.context} tokens`);
  const wrong = (typed && header.draft_error) || (header.status.kind === "error" ? header.status.text : "");
  const { kind, text: told, is_news: isNews } = header.status;
  const ofModel = parts.popover.hidden ? header.model_error : ""; // else it stands in there
  setText(error, wrong || ofModel || (RESTING.has(kind) && isNews ? told : ""));
  error.dataset.kind = wrong || ofModel ? "error" : "notice";
  text.setAttribute("aria-invalid", wrong ? "true" : "false");
}
