// The settings chip and its small dialog; what is typed is passed on as typed, Python judges it. While it finds one
// wrong, none is taken: the chip goes on to name the run's, the fields keep what was typed.

import { lastStep } from "./cursor.js";
import { setText } from "./markup.js";
import { requestPaint, stageNow } from "./now.js";
import { isPending, send } from "./outbox.js";
import { generate, runPrompt } from "./playback.js";
import { NUMBERS, settingValues, wrongSetting } from "./setting_values.js";
import { state } from "./store.js";

export function wireSettings(parts) {
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

function openPopover(byKey, name = NUMBERS[0]) {
  openedByKey = byKey;
  const { popover, chip, fields } = stageNow.parts;
  popover.hidden = false;
  chip.setAttribute("aria-expanded", "true");
  fields.elements[name].focus();
  requestPaint(); // what is wrong with the model is told in here now, and no more on the stage
}

// Open the dialog at the first wrong setting; false if none is.
export function showWrongSetting() {
  const name = wrongSetting();
  if (!name) return false;
  if (stageNow) openPopover(false, name);
  return true;
}

export function closePopover() {
  if (!stageNow || !stageNow.parts.popover || stageNow.parts.popover.hidden) return false;
  stageNow.parts.popover.hidden = true;
  stageNow.parts.chip.setAttribute("aria-expanded", "false");
  if (openedByKey) stageNow.parts.chip.focus();
  else stageNow.parts.root.activeElement?.blur();
  requestPaint();
  return true;
}

function changeSetting(name, value) {
  const typed = value.trim().replace(",", ".");
  if (String(settingValues()[name]) === typed) return;
  state.typed = { ...state.typed, [name]: typed };
  if (state.playback.kind === "generate") generate(false);
  else {
    send("settings", { cursor: state.cursor, ...settingValues() });
    // It will count from the step under the cursor on, when Play is pressed.
    if (name in state.header.sampling && state.cursor < lastStep()) state.held = true;
  }
  requestPaint();
}

// Whether a run stops at a token that ends the text.
function stopAtEnd(checked) {
  state.typed = { ...state.typed, ignore_eos: !checked };
  send("settings", { cursor: state.cursor, ...settingValues() });
  requestPaint();
}

export function paintSettings(parts) {
  const { header } = state;
  const wrong = wrongSetting();
  if (!wrong && !isPending("settings", "play", "run", "step")) state.typed = {};
  const { temperature, top_k: topK, top_p: topP, seed } = header.sampling;
  const pieces = [`T ${temperature}`];
  if (topK) pieces.push(`k ${topK}`);
  if (topP !== 1) pieces.push(`p ${topP}`);
  pieces.push(`seed ${seed}`);
  setText(parts.chip, pieces.join(" · ") + (state.held ? " · from here" : ""));
  parts.chip.classList.toggle("wrong", Boolean(wrong));
  parts.chip.title = wrong ? header.setting_errors[wrong] : "";
  const now = settingValues();
  for (const name of NUMBERS) paintField(parts, name, String(now[name]));
  parts.fields.elements.stop_at_end.checked = !now.ignore_eos;
  fillExamples(parts, header.examples);
}

// One field: what was typed or is in force, and beside it what is wrong with it, or what it means.
function paintField({ fields, root }, name, value) {
  const { setting_errors: errors, most_new_tokens: most } = state.header;
  const input = fields.elements[name], beside = input.nextElementSibling;
  if (root.activeElement !== input && input.value !== value) input.value = value;
  const meaning = name === "max_new_tokens" ? `${beside.dataset.hint}; up to ${most}` : beside.dataset.hint;
  input.setAttribute("aria-invalid", String(name in errors));
  beside.classList.toggle("wrong", name in errors);
  beside.setAttribute("role", name in errors ? "alert" : "note");
  setText(beside, errors[name] ?? meaning);
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
