// The settings of the next steps: those in force, and over them what was typed.

import { state } from "./store.js";

export const NUMBERS = ["temperature", "top_k", "top_p", "seed", "max_new_tokens", "speed"];

export function settingValues() {
  const { sampling, max_new_tokens, ignore_eos, speed } = state.header;
  return { ...sampling, max_new_tokens, ignore_eos, speed, ...state.typed };
}

export function wrongSetting() {
  return NUMBERS.find((name) => name in state.header.setting_errors);
}
