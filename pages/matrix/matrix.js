// The matrix on the page: one mount for each key, repainted whenever data, size or theme change.
const views = (globalThis.gpt2Matrices ??= new WeakMap());
const SHARED = 'gpt2-matrix-cell';

function decode(data) {
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const values = new Float32Array(bytes.slice(4 + length).buffer);
  const isMissing = values.some((value) => !Number.isFinite(value));
  header.hatched = isMissing ? (values.includes(-Infinity) ? 'masked' : 'left out') : '';
  return [header, values];
}

function element(parent, name, className) {
  const made = document.createElement(name);
  made.className = className;
  parent.appendChild(made);
  return made;
}

function nameOf(view, axis, index) {
  const { header } = view;
  const label = (header[`${axis}_names`] || header[`${axis}s`])[index];
  const start = header[`${axis}_start`];
  return start === null ? label : `${label} (position ${start + index})`;
}

function describe(view, [r, c]) {
  const { header, data } = view;
  const [row, column] = [nameOf(view, 'row', r), nameOf(view, 'column', c)];
  const hook = header.hook
    .replaceAll('{row}', () => (header.row_names || header.rows)[r])
    .replaceAll('{column}', () => (header.column_names || header.columns)[c])
    .replaceAll('{r}', r + (header.row_start ?? 0)).replaceAll('{c}', c + (header.column_start ?? 0));
  const text = header.text && !header.tile ? `${header.text[r][c]} ` : '';
  const value = header.tile ? '' : text + numberText(header.scale, data[r * header.shape[1] + c]);
  const names = [header.row_title, row, '→', header.column_title, column].filter(Boolean).join(' ');
  return { value, where: header.tile ? header.notes[r][c] : names, hook };
}

function showCell(view, cell, { tip = false, speak = false } = {}) {
  view.cursor = cell;
  paintCursor(view, view.width);
  const shown = cell || view.chosen;
  const said = shown && shown[0] < view.place.rows && shown[1] < view.place.columns ? describe(view, shown) : null;
  view.readout.textContent = said ? [said.value, said.where, said.hook].filter(Boolean).join(' · ') : '';
  view.tip.hidden = !(tip && cell);
  if (tip && cell) {
    view.tip.replaceChildren();
    const [first, second] = said.value ? [said.value, said.where] : [said.where, ''];
    for (const [tag, text] of [['b', first], ['span', second], ['i', said.hook]]) {
      if (text) element(view.tip, tag, '').textContent = text;
    }
    const x = view.place.x(cell[1]) + view.place.cellW / 2, y = view.place.y(cell[0]) + view.place.cellH;
    view.tip.style.left = `${Math.max(0, Math.min(x + 10, view.width - view.tip.offsetWidth))}px`;
    view.tip.style.top = `${y + 10}px`;
  }
  if (speak && said) view.spoken.textContent = [said.value, said.where].filter(Boolean).join(', ');
}

function share(view, kind, cell) {
  if (view.header.group) {
    globalThis.dispatchEvent(new CustomEvent(SHARED, { detail: { group: view.header.group, from: view, kind, cell } }));
  }
}

function choose(view, cell) {
  view.chosen = cell;
  if (view.header.selectable) view.send(cell);
}

function listen(view) {
  const { plot } = view;
  const at = (event) => {
    const box = plot.getBoundingClientRect();
    return view.place.hit(event.clientX - box.left, event.clientY - box.top);
  };
  const move = (cell, how) => { showCell(view, cell, how); share(view, 'hover', cell); };
  const press = (cell) => {
    view.locked = cell;
    choose(view, cell);
    move(cell, { tip: true, speak: true });
    share(view, 'choose', cell);
  };
  plot.addEventListener('pointermove', (event) => { if (!view.locked) move(at(event), { tip: true }); });
  plot.addEventListener('pointerleave', () => { if (!view.locked) move(null); });
  plot.addEventListener('click', (event) => {
    const cell = at(event);
    if (view.locked && cell && cell.join() === view.locked.join()) { view.locked = null; move(cell, { tip: true }); }
    else if (cell) press(cell);
  });
  plot.addEventListener('blur', () => { view.locked = null; move(null); });
  plot.addEventListener('keydown', (event) => {
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const { rows, columns } = view.place, [r, c] = view.cursor || view.chosen || [rows - 1, 0];
    const clamp = (value, size) => Math.min(size - 1, Math.max(0, value));
    if (steps[event.key]) {
      const [down, right] = steps[event.key];
      view.locked = null;
      const next = view.cursor ? [r + down, c + right] : [r, c];
      move([clamp(next[0], rows), clamp(next[1], columns)], { tip: true, speak: true });
    } else if (event.key === 'Home' || event.key === 'End') {
      move([clamp(r, rows), event.key === 'Home' ? 0 : columns - 1], { tip: true, speak: true });
    } else if (event.key === 'Enter' && view.cursor) {
      press(view.cursor);
    } else if (event.key === 'Escape') {
      view.locked = null;
      move(null);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });
  const answer = ({ detail }) => {
    if (detail.from === view || !view.header || detail.group !== view.header.group) return;
    if (detail.kind === 'choose') choose(view, detail.cell);
    showCell(view, detail.cell);
  };
  globalThis.addEventListener(SHARED, answer);
  const watcher = new ResizeObserver(() => { if (Math.floor(view.root.clientWidth) !== view.width) repaint(view); });
  watcher.observe(view.root);
  view.stop = () => { watcher.disconnect(); globalThis.removeEventListener(SHARED, answer); };
}

function mount(parent) {
  const root = parent.querySelector('.matrix');
  const view = { root, generation: 0, cursor: null, locked: null, chosen: null };
  for (const name of ['title', 'caption']) view[name] = element(root, 'div', name);
  view.plot = element(root, 'div', 'plot');
  view.base = element(view.plot, 'canvas', '');
  view.over = element(view.plot, 'canvas', '');
  view.tip = element(view.plot, 'div', 'tip');
  view.tip.hidden = true;
  for (const name of ['readout', 'note', 'spoken']) view[name] = element(root, 'div', name);
  view.plot.tabIndex = 0;
  view.plot.setAttribute('role', 'application');
  view.spoken.setAttribute('aria-live', 'polite');
  listen(view);
  // The first picture asks for the page's letters and may be drawn before they are here.
  requestAnimationFrame(() => document.fonts.ready.then(() => repaint(view)));
  return view;
}

function repaint(view) {
  const width = Math.floor(view.root.clientWidth);
  if (!view.header || width < 40) return;
  view.width = width;
  view.note.textContent = paintPicture(view, width);
  const { rows, columns } = view.place;
  const isGone = (cell) => cell && (cell[0] >= rows || cell[1] >= columns);
  if (isGone(view.cursor) || isGone(view.locked)) view.cursor = view.locked = null;
  showCell(view, view.cursor, { tip: Boolean(view.locked) });
}

export default function (component) {
  const { parentElement, data, setStateValue } = component;
  let view = views.get(parentElement);
  if (!view) views.set(parentElement, (view = mount(parentElement)));
  const mine = ++view.generation;
  // A choice is told by position: a window that moves must not move what was chosen.
  view.send = ([r, c]) => {
    const { row_start: rowStart, column_start: columnStart } = view.header;
    setStateValue('cell', [r + (rowStart ?? 0), c + (columnStart ?? 0)]);
  };
  [view.header, view.data] = decode(data);
  view.chosen = view.header.selected;
  view.title.textContent = view.header.title;
  view.caption.replaceChildren();
  for (const [at, part] of view.header.caption.entries()) {
    element(view.caption, at % 2 ? 'b' : 'span', '').textContent = part;
  }
  const spoken = `${view.header.title}. ${view.header.caption.join('')} Arrow keys move from cell to cell.`;
  view.plot.setAttribute('aria-label', spoken);
  repaint(view);
  // A superseded call may be cleaned up while the component lives: only the newest may take it down.
  return () => {
    if (view.generation === mine) { view.stop(); views.delete(parentElement); view.root.replaceChildren(); }
  };
}
