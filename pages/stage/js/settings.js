// The settings chip and its small dialog; what is typed is passed on as typed, Python judges it.

const NUMBERS = ["temperature", "top_k", "top_p", "seed", "max_new_tokens", "speed"];

function settingValues() {
  const { sampling, max_new_tokens, ignore_eos } = state.header;
  return { ...sampling, max_new_tokens, ignore_eos, ...state.typed, speed: state.speed };
}

function wireSettings(parts) {
  const { chip, popover, fields } = parts;
  chip.addEventListener("click", (event) => (popover.hidden ? openPopover(event.detail === 0) : closePopover()));
  fields.addEventListener("submit", (event) => event.preventDefault());
  fields.addEventListener("change", ({ target }) => {
    if (target.type === "checkbox") stopAtEnd(target.checked);
    else changeSetting(target.name, target.value);
  });
  popover.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Escape") closePopover();
    else if (event.key === "Enter" && event.target.matches(".fields input:not([type=checkbox])")) {
      changeSetting(event.target.name, event.target.value);
    }
  });
}

let openedByKey = false; // only then does closing give the focus back: after a click, Space is the stage's

function openPopover(byKey) {
  openedByKey = byKey;
  const { popover, chip, fields } = stageNow.parts;
  popover.hidden = false;
  chip.setAttribute("aria-expanded", "true");
  fields.elements[0].focus();
}

function closePopover() {
  if (!stageNow || !stageNow.parts.popover || stageNow.parts.popover.hidden) return false;
  stageNow.parts.popover.hidden = true;
  stageNow.parts.chip.setAttribute("aria-expanded", "false");
  if (openedByKey) stageNow.parts.chip.focus();
  else stageNow.parts.root.activeElement?.blur();
  return true;
}

function changeSetting(name, value) {
  const typed = value.trim().replace(",", ".");
  if (name === "speed") {
    const speed = Number(typed);
    if (Number.isFinite(speed) && speed >= 0) state.speed = Math.min(60, speed);
    return requestPaint();
  }
  if (String(settingValues()[name]) === typed) return;
  state.typed = { ...state.typed, [name]: typed };
  if (state.playback.kind === "generate") generate();
  else if (name === "max_new_tokens" || state.cursor === lastStep()) send("settings", settingValues());
  else state.held = true; // it will count from the step under the cursor on, when Play is pressed
  requestPaint();
}

// Whether a run stops at a token that ends the text.
function stopAtEnd(checked) {
  state.typed = { ...state.typed, ignore_eos: !checked };
  send("settings", settingValues());
  requestPaint();
}

function paintSettings(parts) {
  const { header } = state;
  if (!state.held && !isPending("settings", "play", "run", "step")) state.typed = {};
  const now = settingValues();
  const pieces = [`T ${now.temperature}`];
  if (Number(now.top_k)) pieces.push(`k ${now.top_k}`);
  if (Number(now.top_p) !== 1) pieces.push(`p ${now.top_p}`);
  pieces.push(`seed ${now.seed}`);
  setText(parts.chip, pieces.join(" · ") + (state.held ? " · from here" : ""));
  for (const name of NUMBERS) {
    const input = parts.fields.elements[name];
    if (parts.root.activeElement !== input && input.value !== String(now[name])) input.value = String(now[name]);
  }
  parts.fields.elements.stop_at_end.checked = !now.ignore_eos;
  const hint = parts.fields.elements.max_new_tokens.nextElementSibling;
  setText(hint, `at most, for each run; up to ${header.most_new_tokens}`);
  fillExamples(parts, header.examples);
}

function fillExamples(parts, examples) {
  const key = JSON.stringify(examples);
  if (parts.examples.dataset.filled === key) return;
  parts.examples.dataset.filled = key;
  const buttons = examples.map((example) => {
    const choice = document.createElement("button");
    const label = document.createElement("b");
    const shows = document.createElement("small");
    choice.type = "button";
    label.textContent = example.label;
    shows.textContent = example.shows;
    choice.append(label, shows);
    choice.addEventListener("click", () => {
      state.draft = parts.text.value = example.prompt;
      closePopover();
      runPrompt();
    });
    return choice;
  });
  parts.examples.replaceChildren(parts.examples.firstElementChild, ...buttons);
}
