// The list of models, the line for one that is not in it, and what is said of a model on its way.

import { setText } from "./markup.js";
import { requestPaint } from "./now.js";
import { isPending, send } from "./outbox.js";
import { state } from "./store.js";

const ANOTHER = ""; // the list's last entry: a line to type in appears

export function wireModels(parts) {
  const { model, other_model: other } = parts.models.elements;
  parts.models.addEventListener("submit", (event) => event.preventDefault());
  model.addEventListener("change", () => {
    state.typesModel = model.value === ANOTHER;
    state.typedModel = "";
    if (state.typesModel) {
      parts.other.hidden = false;
      other.value = ""; // what was typed before and is typed again counts too
      other.focus();
    } else chooseModel(model.value);
    requestPaint();
  });
  other.addEventListener("change", () => chooseModel(state.typedModel = other.value.trim()));
  parts.cancel.addEventListener("click", () => {
    send("cancel");
    requestPaint();
  });
}

function chooseModel(name) {
  if (!name || name === state.header.model || name === state.chosenModel) return;
  state.chosenModel = name;
  send("model", { name });
}

export function paintModels(parts, stage) {
  const { header } = state;
  const { model, other_model: other } = parts.models.elements;
  fillModels(model, header);
  if (!isPending("model")) {
    state.chosenModel = null;
    // What was typed stays to be mended if it is refused, at once or once the hub has been asked.
    if (state.typedModel) state.typesModel = state.typedModel !== header.model && Boolean(header.model_error);
  }
  const value = state.typesModel ? ANOTHER : state.chosenModel ?? header.model;
  if (model.value !== value) model.value = value;
  parts.other.hidden = !state.typesModel;
  if (other.placeholder !== header.other_models) other.placeholder = header.other_models;
  paintComing(parts, stage);
}

function fillModels(select, { models, other_models: others }) {
  const names = [...models.map((choice) => choice.name), ...(others ? [ANOTHER] : [])];
  const labels = [...models.map(({ label, detail }) => `${label} · ${detail}`), "Another…"];
  if (select.dataset.names !== JSON.stringify(names)) {
    select.dataset.names = JSON.stringify(names);
    select.replaceChildren(...names.map((name) => new Option("", name)));
  }
  names.forEach((_name, n) => setText(select.options[n], labels[n]));
}

// A model on its way takes the line of the run's facts; nothing else moves.
function paintComing(parts, stage) {
  const { coming } = state.header;
  const { facts, coming: line, cancel, modelNote } = parts;
  const isOnItsWay = coming !== null && !coming.is_ready;
  facts.hidden = coming !== null;
  line.hidden = coming === null;
  cancel.hidden = !isOnItsWay || isPending("cancel");
  const waits = isOnItsWay ? `Run stays with the loaded model until ${coming.label} is ready.` : "For the next run.";
  const { model_error: wrong } = state.header;
  modelNote.classList.toggle("wrong", Boolean(wrong));
  modelNote.setAttribute("role", wrong ? "alert" : "note");
  setText(modelNote, wrong || waits);
  if (!coming) return;
  const text = coming.text.replace(/\.$/, "");
  setText(line.querySelector("b"), coming.label);
  setText(line.querySelector("span"), text);
  line.title = `${coming.label}: ${coming.text}`;
  cancel.setAttribute("aria-label", `Cancel loading ${coming.label}`);
  line.dataset.kind = coming.is_ready ? "ready" : coming.share === null ? "unknown" : "known";
  line.style.setProperty("--share", String(coming.share ?? 0));
  line.setAttribute("role", coming.is_ready ? "status" : "progressbar");
  line.setAttribute("aria-label", `${coming.is_ready ? "Loaded" : "Loading"} ${coming.label}`);
  line.setAttribute("aria-valuetext", text);
  if (coming.share === null) line.removeAttribute("aria-valuenow");
  else line.setAttribute("aria-valuenow", String(Math.round(100 * coming.share)));
  if (coming.is_ready) setText(stage.aloud, `${coming.label} is ready for the next run.`);
}
