// The offer to branch, and to see a number's arithmetic: beside a token of what comes next, or of the draw, that was
// clicked, tapped, or reached and pressed by Enter. It stays until it is taken, or anything else is asked for. A branch
// that has this token already is offered too, or alone where another would be refused.

import { spoken, tokenNodes } from "../../look/tokens.js";
import { isPlaying, pause } from "./cursor.js";
import { setText } from "./markup.js";
import { stageNow } from "./now.js";
import { openNumber } from "./number.js";
import { send } from "./outbox.js";
import { ask } from "./playback.js";
import { placeTip } from "./pointer.js";
import { isAlone, state } from "./store.js";

export const HAS_IT = "the run has it here already";
let offer = null; // { run, step, token, canvas, byKey, number, other }

export function wireBranchOffer(stage) {
  const { branchOffer: box, branchHere, branchOther, branchOpens } = stage.parts;
  branchHere.addEventListener("click", takeOffer);
  branchOther.addEventListener("click", showOther);
  branchOpens.addEventListener("click", openOffered);
  stage.root.addEventListener("pointerdown", (event) => {
    if (!event.composedPath().includes(box)) closeOffer();
  });
}

// The box of the value stays, below a pointer or above a finger; the offer is on the other side of the token. `number`
// is what can be opened, as { opens, name }; of some tokens there is none.
export function offerBranch(surface, { token, label }, [x, y, width, height], isTouch, number) {
  if (isAlone) return;
  const { root, parts: { branchOffer: box, branchHere, branchOther, branchOpens } } = stageNow;
  const area = surface.canvas.getBoundingClientRect(), byKey = Boolean(surface.roving.cursor);
  if (isPlaying()) pause();
  const others = state.header.elsewhere.filter((one) => one.step === state.cursor && one.token === token);
  const other = others.find((one) => one.is_parent) ?? others[0];
  offer = { run: state.run, step: state.cursor, token, canvas: surface.canvas, byKey, number, other };
  branchHere.replaceChildren(...tokenNodes(`Branch here with ${spoken(label)}`));
  branchHere.hidden = Boolean(other?.is_parent);
  branchOther.hidden = !other;
  setText(branchOther, other ? `${other.title} goes on so: put it on the stage` : "");
  branchOpens.hidden = !number;
  box.hidden = false;
  const middle = area.left + x + width / 2 - (isTouch ? box.offsetWidth / 2 : 0);
  const place = { x: middle, top: area.top + y - 8, foot: area.top + y + height + 14 };
  placeTip(box, root.getBoundingClientRect(), place, !isTouch);
  if (byKey) (branchHere.hidden ? branchOther : branchHere).focus();
}

// Whether there was one.
export function closeOffer() {
  if (!offer) return false;
  const { canvas, byKey } = offer;
  offer = null;
  if (stageNow) stageNow.parts.branchOffer.hidden = true;
  if (byKey) canvas.focus();
  return true;
}

function takeOffer() {
  const { step, token } = offer;
  closeOffer();
  ask("branch", { cursor: step, token }, { kind: "generate", before: state.run });
}

// The cursor stays at the step whose token was pressed.
function showOther() {
  const { step, other } = offer;
  closeOffer();
  state.playback = { kind: "still", asked: send("show", { number: other.number, cursor: step }) };
}

function openOffered() {
  const { opens, name } = offer.number;
  closeOffer();
  openNumber(opens, name);
}

// An offer is of one step of one run.
export function tendOffer() {
  if (offer && (offer.run !== state.run || offer.step !== state.cursor || !offer.canvas.isConnected)) closeOffer();
}
