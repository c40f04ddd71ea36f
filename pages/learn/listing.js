// The lines of a source file; those that made something can be chosen, by a click, a tap or the arrow keys.
const ARROWS = { ArrowDown: 1, ArrowUp: -1 };

function row(line, index) {
  const made = document.createElement('div');
  made.className = line.value ? 'line made' : 'line';
  const parts = [['number', String(line.number)], ['text', line.text], ['value', '']];
  for (const [name, text] of parts) {
    const part = made.appendChild(document.createElement('span'));
    part.className = name;
    part.textContent = text;
  }
  if (line.value) {
    made.dataset.index = String(index);
    made.setAttribute('role', 'option');
    made.id = `gpt2-line-${index}`;
    for (const [tag, text] of [['b', line.value.shape], ['i', line.value.numbers]]) {
      made.lastElementChild.appendChild(document.createElement(tag)).textContent = text;
    }
    made.setAttribute('aria-label', `Line ${line.number}, ${line.value.name}: ${line.value.shape}, ${line.value.numbers}`);
  } else made.setAttribute('aria-hidden', 'true');
  return made;
}

function build(list, data) {
  list.tabIndex = 0;
  list.setAttribute('role', 'listbox');
  list.setAttribute('aria-label', data.title);
  list.replaceChildren(...data.lines.map(row));
}

function choose(list, index) {
  list.chosen = index;
  for (const line of list.querySelectorAll('.made')) {
    line.setAttribute('aria-selected', String(Number(line.dataset.index) === index));
  }
  list.setAttribute('aria-activedescendant', `gpt2-line-${index}`);
}

export default function ({ parentElement, data, setStateValue }) {
  const list = parentElement.querySelector('.listing');
  const text = JSON.stringify(data.lines);
  if (list.text !== text) {
    list.text = text;
    build(list, data);
  }
  if (list.chosen === undefined) {
    choose(list, data.chosen);
    const line = list.querySelector('[aria-selected=true]');
    list.scrollTop = line.offsetTop - list.clientHeight / 2;
  } else if (list.sent !== data.chosen) choose(list, data.chosen);
  list.sent = null;
  const tell = (index) => {
    choose(list, index);
    list.sent = index;
    setStateValue('line', index);
  };
  list.onclick = (event) => {
    const line = event.target.closest('.made');
    if (line) tell(Number(line.dataset.index));
  };
  list.onkeydown = (event) => {
    const places = data.lines.flatMap((line, index) => (line.value ? [index] : []));
    const at = places.indexOf(list.chosen) + (ARROWS[event.key] ?? 0);
    if (!(event.key in ARROWS) || at < 0 || at >= places.length) return;
    event.preventDefault();
    event.stopPropagation();
    tell(places[at]);
    list.querySelector('[aria-selected=true]').scrollIntoView({ block: 'nearest' });
  };
}
