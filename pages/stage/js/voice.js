// The page's one voice, for those who listen instead of look: the step once the cursor rests, and each cell of a
// picture that the keys rest on. The matrices of the other pages speak through it too.

import { percent } from "../../look/numbers.js";
import { lastStep } from "./cursor.js";
import { setText } from "./markup.js";
import { stageNow } from "./now.js";
import { state } from "./store.js";
import { howMade } from "./token_facts.js";
import { watchedSentence } from "./watched.js";

const REST_OF_STEP_MS = 400, REST_OF_CELL_MS = 200; // a key held down is not followed word by word
let voiceTimer = 0;

export function say(words, wait = REST_OF_CELL_MS) {
  clearTimeout(voiceTimer);
  voiceTimer = setTimeout(() => {
    if (stageNow) setText(stageNow.aloud, words);
  }, wait);
}

// Only a step that is new: a repaint says nothing.
export function sayStep(stage, record) {
  const { next } = record;
  const token = state.header.labels[record.stop - 1];
  const drawn = next ? `; ${howMade(next)} next: ${next.label}, ${percent(next.raw)} by the model` : "";
  const step = `Step ${state.cursor} (0 to ${lastStep()})`;
  const words = `${step}: newest token ${token}${drawn}. ${watchedSentence()}`.trim();
  if (words === stage.stepSaid) return;
  stage.stepSaid = words;
  say(words, REST_OF_STEP_MS);
}
