// Actions on their way to Python. A trigger may be lost, so all that is pending is sent again until it is echoed.

import { isLeaving, noteSaid } from "./leaving.js";
import { isAlone, shared, state } from "./store.js";

const LATEST_ONLY = new Set(["draft", "view", "settings", "model", "need", "code", "tick", "theme", "check"]);
export const outbox = (shared.outbox ??= { serial: 0, pending: [], timer: 0, wait: 0, debounced: {} });

export function send(name, values = {}) {
  if (isAlone) return 0;
  outbox.serial = Math.max(outbox.serial + 1, Date.now());
  if (LATEST_ONLY.has(name)) outbox.pending = outbox.pending.filter((action) => action.name !== name);
  outbox.pending.push({ serial: outbox.serial, name, values });
  outbox.wait = 300;
  clearTimeout(outbox.timer);
  outbox.timer = setTimeout(flush, 0); // what one event causes travels together
  return outbox.serial;
}

export function sendLater(name, delay, values) {
  clearTimeout(outbox.debounced[name]);
  outbox.debounced[name] = 0;
  sendSoon(name, delay, values);
}

// At most one in each `delay`, with the values as they are when it goes; a stream of calls cannot put it off for ever.
export function sendSoon(name, delay, values) {
  if (outbox.debounced[name]) return;
  outbox.debounced[name] = setTimeout(() => {
    outbox.debounced[name] = 0;
    send(name, values());
  }, delay);
}

// Nothing more is said of this.
export function withdraw(name) {
  clearTimeout(outbox.debounced[name]);
  outbox.debounced[name] = 0;
  outbox.pending = outbox.pending.filter((action) => action.name !== name);
}

function flush() {
  clearTimeout(outbox.timer);
  if (!outbox.pending.length || !shared.component) return;
  if (!isLeaving()) { // else the new page says it
    shared.component.setTriggerValue("actions", outbox.pending);
    noteSaid();
  }
  outbox.timer = setTimeout(flush, outbox.wait);
  outbox.wait = Math.min(3000, outbox.wait * 2);
}

// While something is under way, ask for the next message after each one, as soon as Python says there may be news.
const COMING_TICK_MS = 300; // of a model on its way
let tickTimer = 0;
export function keepTicking(header) {
  clearTimeout(tickTimer);
  const isFast = ["running", "loading"].includes(header.status.kind);
  if (!isFast && !header.coming) return;
  outbox.pending = outbox.pending.filter((action) => action.name !== "tick"); // any message answers it
  const wait = isFast ? header.tick_ms : COMING_TICK_MS;
  tickTimer = setTimeout(() => {
    if (!outbox.pending.length) send("tick", { seen: state.seen });
  }, wait);
}

// Python names the highest serial it has taken. What it has just been given it answers in the message after this one.
export function acknowledge(echo) {
  for (const { serial, values } of outbox.pending) if (serial <= echo && "text" in values) state.judged = values.text;
  outbox.pending = outbox.pending.filter((action) => action.serial > echo);
  clearTimeout(outbox.timer);
  if (outbox.pending.length) outbox.timer = setTimeout(flush, 120);
}

export function isPending(...names) {
  return outbox.pending.some((action) => names.includes(action.name));
}
