// Keys, wherever the focus is but in a field: Space, arrows, Home, End, Esc.

const FIELDS = "input:not([type=range]), textarea, select, [contenteditable=true], [role=slider], [role=combobox], "
  + "[role=listbox], [role=radiogroup], [role=tablist], [role=menu]";

const KEYS = {
  " ": togglePlay,
  ArrowRight: forward,
  ArrowLeft: () => goTo(state.cursor - 1),
  ArrowUp: () => moveLayer(1),
  ArrowDown: () => moveLayer(-1),
  Home: () => goTo(0),
  End: () => goTo(lastStep()),
  Escape: onEscape,
};

function onEscape() {
  if (!closePopover() && !discardTwice()) unlockHead();
}

function onKey(event) {
  const action = KEYS[event.key];
  if (!action || !stageNow || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const path = event.composedPath().filter((node) => node instanceof Element);
  const ours = path.includes(stageNow.root);
  if (path.some((node) => node.matches(FIELDS) || (!ours && node.matches("input, [role=radio], [role=tab]")))) return;
  if (event.key === " " && path.some((node) => node.matches("button, a, summary, [role=button]"))) return;
  if (event.shiftKey || !state.header) return;
  event.preventDefault();
  event.stopPropagation();
  action();
}
