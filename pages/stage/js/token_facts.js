// What is known of one token of the text: from the record of the step that read it, and of the step that drew it.

import { bits, percent } from "../../look/numbers.js";
import { spoken } from "../../look/tokens.js";
import { recordAt, shownAt, state, stepCount, stepOfPosition } from "./store.js";

const MOST_SHOWN_BYTES = 16;

function recordOrStandIn(step) {
  return step < 0 ? undefined : recordAt(step) ?? state.standIns[step];
}

// The draw that made the token at a position; undefined for the prompt's, and where its record is not here.
function drawOf(at) {
  if (at < state.header.prompt_tokens) return undefined;
  const next = shownAt(stepOfPosition(at) - 1)?.next;
  return next?.label === state.header.labels[at] ? next : undefined;
}

// The character, and its bytes, of which the token is a part; undefined if it is none.
function characterOf(at) {
  for (let step = stepOfPosition(at) - 1; step <= stepOfPosition(at + 3); step += 1) {
    const found = recordOrStandIn(step)?.split.find(([first, last]) => first <= at && at <= last);
    if (found) return found[2];
  }
  return undefined;
}

// A token that a person chose was not drawn: it has no u.
export function howMade(next) {
  return next.u === null ? "chosen by hand" : "drawn";
}

function idAndBytes(at) {
  const own = recordOrStandIn(stepOfPosition(at)), draw = drawOf(at), n = own ? at - own.start : -1;
  const [id, hex] = own && n in own.ids ? [own.ids[n], own.bytes[n]] : draw ? [draw.token, draw.bytes] : [];
  if (id === undefined) return "";
  const bytes = hex.match(/../g) ?? [], more = bytes.length - MOST_SHOWN_BYTES;
  const shown = `${bytes.slice(0, MOST_SHOWN_BYTES).join(" ")}${more > 0 ? ` and ${more} more` : ""}`;
  return ` · id ${id}${bytes.length ? ` · bytes ${shown}` : ""}`;
}

function originOf(at) {
  if (at < state.header.prompt_tokens) return "given in the prompt";
  const step = stepOfPosition(at) - 1, draw = drawOf(at);
  if (!stepCount()) return "drawn; the numbers of this run are not here";
  if (!draw) return `drawn at step ${step}; its numbers are not here`;
  const final = Math.abs(draw.final - draw.raw) < 5e-4 ? "" : `, ${percent(draw.final)} in the draw`;
  const own = `${percent(draw.raw)} by the model, rank ${draw.rank}, ${bits(draw.surprisal)}`;
  return `${howMade(draw)} at step ${step}: ${own}${final}`;
}

// The lines of its tip: the token, where it comes from, and its place, id and bytes.
export function tokenLines(at) {
  const character = characterOf(at), label = spoken(state.header.labels[at]);
  const first = character === undefined ? label : `${label}, part of ${spoken(character)}`;
  return [first, originOf(at), `position ${at}${idAndBytes(at)}`];
}
