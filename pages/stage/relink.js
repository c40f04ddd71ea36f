// What a page below the stage says of the address since the stage's newest message; see pages/stage/js/address.js.
import { inTurn } from "../look/calls.js";

export default function ({ parentElement, data }) {
  return inTurn(parentElement, () => globalThis.gpt2Stage?.relink?.(data));
}
