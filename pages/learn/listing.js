// The lines of a source file, and under each what it made; a value is chosen by a click, a tap or the arrow keys.
import { inTurn } from "../look/calls.js";

const ARROWS = { ArrowDown: 1, ArrowUp: -1 };

function add(parent, name, className, text) {
  const made = parent.appendChild(document.createElement(name));
  made.className = className;
  made.textContent = text;
  return made;
}

function addValue(parent, line, value, index) {
  const made = add(parent, "div", "value", "");
  made.id = `gpt2-value-${index}`;
  made.dataset.index = String(index);
  made.setAttribute("role", "option");
  made.setAttribute("aria-label", `Line ${line.number}: ${value.shape}, ${value.numbers}`);
  add(made, "b", "", value.shape);
  add(made, "span", "", value.numbers);
}

function build(list, data) {
  list.tabIndex = 0;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", data.title);
  list.replaceChildren();
  let index = 0;
  for (const line of data.lines) {
    const row = add(list, "div", "line", "");
    row.setAttribute("role", "presentation");
    add(row, "span", "number", String(line.number));
    add(row, "span", "text", line.text);
    for (const value of line.values) addValue(list, line, value, index++);
  }
  list.count = index;
}

function choose(list, index) {
  list.chosen = index;
  for (const value of list.querySelectorAll(".value")) {
    value.setAttribute("aria-selected", String(Number(value.dataset.index) === index));
  }
  list.setAttribute("aria-activedescendant", `gpt2-value-${index}`);
  const chosen = list.querySelector("[aria-selected=true]");
  if (!chosen) return;
  const above = chosen.offsetTop - 60, below = chosen.offsetTop + chosen.offsetHeight + 20 - list.clientHeight;
  list.scrollTop = Math.min(Math.max(list.scrollTop, below), above);
}

function show({ parentElement, data, setStateValue }) {
  const list = parentElement.querySelector(".listing");
  const text = JSON.stringify(data.lines);
  const isFirst = list.text === undefined;
  if (list.text !== text) {
    list.text = text;
    build(list, data);
    choose(list, isFirst ? data.chosen : Math.min(list.chosen, list.count - 1));
  }
  const tell = (index) => {
    choose(list, index);
    setStateValue("value", index);
  };
  list.onclick = (event) => {
    const value = event.target.closest(".value");
    if (value) tell(Number(value.dataset.index));
  };
  list.onkeydown = (event) => {
    const next = list.chosen + (ARROWS[event.key] ?? 0);
    if (!(event.key in ARROWS)) return;
    event.preventDefault();
    event.stopPropagation();
    if (next >= 0 && next < list.count) tell(next);
  };
}

export default function (component) {
  return inTurn(component.parentElement, () => show(component));
}
