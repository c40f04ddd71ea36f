// The badge of a choice in a list: while something is chosen, a click on it and Esc let it go.
import { inTurn } from "../look/calls.js";

const LET_GO = "gpt2-let-go"; // what the stage says; see pages/stage/js/lock.js

function build(parent) {
  const badge = parent.querySelector("button");
  badge.letGo = () => {
    badge.hidden = true;
    badge.released = badge.choice;
    badge.tell();
  };
  badge.addEventListener("click", badge.letGo);
  const onEscape = (event) => {
    if (!badge.isConnected) return globalThis.removeEventListener(LET_GO, onEscape);
    if (event.defaultPrevented || badge.hidden) return;
    event.preventDefault();
    badge.letGo();
  };
  globalThis.addEventListener(LET_GO, onEscape);
  return badge;
}

function show({ parentElement, data, setTriggerValue }) {
  const badge = parentElement.querySelector("button");
  if (!badge.tell) build(parentElement);
  badge.tell = () => {
    if (!globalThis.gpt2Stage?.isLeaving?.()) setTriggerValue("release", true);
  };
  badge.choice = data.choice;
  // A release that went with a request for another step may have been lost: it is told again until it is heard.
  const isLost = data.picked && badge.released === data.choice;
  if (isLost) badge.tell();
  else badge.released = undefined;
  badge.hidden = !data.picked || isLost;
  badge.style.setProperty("--mark", data.mark);
}

export default function (component) {
  return inTurn(component.parentElement, () => show(component));
}
