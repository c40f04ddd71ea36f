// A text in the prompt box that is not the run's is a draft, until it is run or discarded.

import { requestPaint } from "./now.js";
import { outbox, withdraw } from "./outbox.js";
import { state } from "./store.js";

// The prompt of the newest run: the one asked for, or starting, or on the stage.
function promptOfRun() {
  const asked = outbox.pending.findLast((action) => action.name === "run");
  return asked ? asked.values.text : state.header.next_prompt ?? state.header.prompt;
}

export function isDraft() {
  return state.draft !== null && state.draft !== promptOfRun();
}

export function discard() {
  withdraw("draft");
  state.judged = null;
  state.draft = promptOfRun();
  requestPaint();
}
