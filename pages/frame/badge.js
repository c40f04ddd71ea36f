// The badge of a choice in a list: while something is chosen, a click on it and Esc let it go.
const LET_GO = 'gpt2-let-go'; // what the stage says; see pages/stage/js/lock.js

function build(parent) {
  const badge = parent.querySelector('button');
  badge.letGo = () => { badge.hidden = true; badge.tell(); };
  badge.addEventListener('click', badge.letGo);
  const onEscape = (event) => {
    if (!badge.isConnected) return globalThis.removeEventListener(LET_GO, onEscape);
    if (event.defaultPrevented || badge.hidden) return;
    event.preventDefault();
    badge.letGo();
  };
  globalThis.addEventListener(LET_GO, onEscape);
  return badge;
}

export default function ({ parentElement, data, setTriggerValue }) {
  const badge = parentElement.querySelector('button');
  if (!badge.tell) build(parentElement);
  badge.tell = () => setTriggerValue('release', true);
  badge.hidden = !data.picked;
  badge.style.setProperty('--mark', data.mark);
}
