// The matrix on the page: one mount for each key, repainted whenever data, size or theme change.
const views = (globalThis.gpt2Matrices ??= new WeakMap());
const SHARED = 'gpt2-matrix-cell';
const TRIES = 6, ANSWER_MS = 500; // how often, and how long after, a pick is told again
// What the stage says; see lock.js and watched.js in pages/stage/js.
const LOCK_CHANGED = 'gpt2-lock', LET_GO = 'gpt2-let-go', WATCH_CHANGED = 'gpt2-watch';

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
  return start === null ? label : `${spoken(label)} (position ${start + index})`;
}

function describe(view, [r, c]) {
  const { header, data } = view;
  const [row, column] = [nameOf(view, 'row', r), nameOf(view, 'column', c)];
  const hook = header.hook
    .replaceAll('{row}', () => (header.row_names || header.rows)[r])
    .replaceAll('{column}', () => (header.column_names || header.columns)[c])
    .replaceAll('{r}', r + (header.row_start ?? 0)).replaceAll('{c}', c + (header.column_start ?? 0));
  const text = header.text && !header.tile ? `${spoken(header.text[r][c])} ` : '';
  const value = header.tile ? '' : text + numberText(header.scale, data[r * header.shape[1] + c]);
  const names = [header.row_title, row, '→', header.column_title, column].filter(Boolean).join(' ');
  return { value, where: header.tile ? header.notes[r][c] : names, hook };
}

function showCell(view, cell, { tip = false, speak = false } = {}) {
  view.cursor = cell;
  paintCursor(view, view.width);
  const shown = cell || view.chosen;
  const said = shown && shown[0] < view.place.rows && shown[1] < view.place.columns ? describe(view, shown) : null;
  const readout = said ? [said.value, said.where, said.hook].filter(Boolean).join(' · ') : '';
  view.readout.replaceChildren(...tokenNodes(readout));
  view.tip.hidden = !(tip && cell);
  if (tip && cell) {
    view.tip.replaceChildren();
    const [first, second] = said.value ? [said.value, said.where] : [said.where, ''];
    for (const [tag, text] of [['b', first], ['span', second], ['i', said.hook]]) {
      if (text) element(view.tip, tag, '').append(...tokenNodes(text));
    }
    const x = view.place.x(cell[1]) + view.place.cellW / 2, y = view.place.y(cell[0]) + view.place.cellH;
    view.tip.style.left = `${Math.max(0, Math.min(x + 10, view.width - view.tip.offsetWidth))}px`;
    view.tip.style.top = `${y + 10}px`;
  }
  if (speak && said) view.spoken.textContent = unmarked([said.value, said.where].filter(Boolean).join(', '));
}

function share(view, kind, cell) {
  if (view.header.group) {
    globalThis.dispatchEvent(new CustomEvent(SHARED, { detail: { group: view.header.group, from: view, kind, cell } }));
  }
}

function isSame(one, other) { return Boolean(one && other) && one.join() === other.join(); }

// The frame stands on the locked head, if this picture shows heads; it moves at once, whatever Python knows by then.
function followLock(view) {
  if (!view.header.locks) return;
  const lock = globalThis.gpt2Stage?.state?.lock;
  view.isPicked = Boolean(lock);
  if (lock) view.chosen = [view.header.rows.length - 1 - lock.layer, lock.head];
  view.badge.hidden = !view.isPicked;
}

// A picture whose columns alone are positions has the watched one picked, as if by a click, and lets it go with it.
function followWatch(view) {
  const { header } = view, watched = globalThis.gpt2Stage?.state?.watched?.position;
  if (!header.selectable || header.column_start === null || header.row_start !== null) return;
  const column = (watched ?? -1) - header.column_start, before = view.follows;
  if (watched === before || (watched !== undefined && (column < 0 || column >= header.columns.length))) return;
  view.follows = watched;
  const isOthers = view.isPicked && view.chosen[1] + header.column_start !== before;
  if (watched !== undefined) pick(view, [view.chosen ? view.chosen[0] : 0, column]);
  else if (!isOthers) letGo(view);
  else return;
  askAgain(view, { cell: view.isPicked ? view.chosen : null, tries: TRIES });
}

// While a page is being drawn Streamlit may take a pick and not draw the page for it: tell it until the frame is there.
function askAgain(view, wanted) {
  view.wanted = wanted;
  setTimeout(() => {
    const { selected, is_picked: isPicked } = view.header, { cell, tries } = wanted;
    const isAnswered = cell ? isPicked && isSame(cell, selected) : !isPicked;
    if (view.wanted !== wanted || isAnswered || !tries || !view.root.isConnected) return;
    view.send(cell);
    askAgain(view, { cell, tries: tries - 1 });
  }, ANSWER_MS);
}

// A cell that is let go stays in its frame until Python says which cell comes instead.
function pick(view, cell) {
  view.wanted = null;
  if (cell || !view.header.selected) view.chosen = cell;
  view.isPicked = Boolean(cell);
  view.badge.hidden = !view.isPicked;
  if (view.header.selectable) view.send(cell);
}

function letGo(view) {
  if (view.header.locks) return globalThis.gpt2Stage?.unlockHead?.();
  view.pinned = null;
  if (view.header.selectable || view.header.group) pick(view, null);
  showCell(view, null);
  share(view, 'pick', null);
}

function press(view, cell) {
  const { header } = view;
  if (header.locks) return globalThis.gpt2Stage?.toggleHead?.(header.rows.length - 1 - cell[0], cell[1]);
  if (isSame(cell, view.isPicked ? view.chosen : view.pinned)) return letGo(view);
  view.pinned = cell;
  if (header.selectable || header.group) pick(view, cell);
  showCell(view, cell, { tip: true, speak: true });
  share(view, 'pick', cell);
}

function onKey(view, event) {
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const { rows, columns } = view.place, [r, c] = view.cursor || view.chosen || [rows - 1, 0];
  const clamp = (value, size) => Math.min(size - 1, Math.max(0, value));
  const move = (cell) => {
    showCell(view, cell, { tip: true, speak: true });
    share(view, 'hover', cell);
  };
  const isHeld = view.pinned || (view.isPicked && !view.header.locks);
  if (event.key === 'Escape' && isHeld) {
    letGo(view);
  } else if (view.isPointed) {
    return; // came by a click: all other keys are the stage's
  } else if (event.key === 'Escape' && view.cursor) {
    move(null);
  } else if (steps[event.key]) {
    const [down, right] = steps[event.key];
    view.pinned = null;
    const next = view.cursor ? [r + down, c + right] : [r, c];
    move([clamp(next[0], rows), clamp(next[1], columns)]);
  } else if (event.key === 'Home' || event.key === 'End') {
    move([clamp(r, rows), event.key === 'Home' ? 0 : columns - 1]);
  } else if (event.key === 'Enter' && view.cursor) {
    press(view, view.cursor);
  } else {
    return;
  }
  event.preventDefault();
  event.stopPropagation();
}

function listen(view) {
  const { plot } = view;
  const at = (event) => {
    const box = plot.getBoundingClientRect();
    return view.place.hit(event.clientX - box.left, event.clientY - box.top);
  };
  const move = (cell, how) => { showCell(view, cell, how); share(view, 'hover', cell); };
  plot.addEventListener('pointermove', (event) => { if (!view.pinned) move(at(event), { tip: true }); });
  plot.addEventListener('pointerleave', () => { if (!view.pinned) move(null); });
  plot.addEventListener('pointerdown', () => { view.isPointed = true; });
  plot.addEventListener('click', (event) => { const cell = at(event); if (cell) press(view, cell); });
  plot.addEventListener('blur', () => { view.pinned = null; view.isPointed = false; move(null); });
  plot.addEventListener('keydown', (event) => onKey(view, event));
  view.badge.addEventListener('click', () => letGo(view));
  const answers = {
    [SHARED]: ({ detail }) => {
      if (detail.from === view || detail.group !== view.header.group) return;
      if (detail.kind === 'pick') pick(view, detail.cell);
      showCell(view, detail.cell);
    },
    [WATCH_CHANGED]: () => { followWatch(view); repaint(view); },
    [LOCK_CHANGED]: () => { followLock(view); showCell(view, view.cursor, { tip: !view.tip.hidden }); },
    [LET_GO]: (event) => {
      if (event.defaultPrevented || !view.isPicked || view.header.locks) return;
      event.preventDefault();
      letGo(view);
    },
  };
  for (const [name, answer] of Object.entries(answers)) globalThis.addEventListener(name, answer);
  const watcher = new ResizeObserver(() => { if (Math.floor(view.root.clientWidth) !== view.width) repaint(view); });
  watcher.observe(view.root);
  view.stop = () => {
    watcher.disconnect();
    for (const [name, answer] of Object.entries(answers)) globalThis.removeEventListener(name, answer);
  };
}

function mount(parent) {
  const root = parent.querySelector('.matrix');
  const view = { root, generation: 0, cursor: null, pinned: null, chosen: null, isPicked: false, isPointed: false };
  for (const name of ['title', 'caption']) view[name] = element(root, 'div', name);
  view.badge = element(root, 'button', 'badge');
  view.badge.type = 'button';
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
  if (isGone(view.cursor) || isGone(view.pinned)) view.cursor = view.pinned = null;
  showCell(view, view.cursor, { tip: Boolean(view.pinned) });
}

// The frame of a new picture: as Python says, or where a person has put it if Python is not told of picks here.
function takePick(view, before) {
  const { header } = view;
  if (header.selected) {
    [view.chosen, view.isPicked] = [header.selected, header.is_picked];
  } else if (view.chosen) {
    const row = view.chosen[0] + (before.row_start ?? 0) - (header.row_start ?? 0);
    view.chosen = row >= 0 && row < header.rows.length ? [row, view.chosen[1]] : null;
    view.isPicked = view.isPicked && Boolean(view.chosen);
  }
  view.badge.textContent = header.locks ? 'locked · Esc' : 'picked · Esc';
  view.badge.title = header.locks ? 'Unlock this head (Esc)' : 'Let this cell go (Esc)';
  view.badge.hidden = !view.isPicked;
  view.root.classList.toggle('locks', header.locks);
  followLock(view);
}

export default function (component) {
  const { parentElement, data, setStateValue } = component;
  let view = views.get(parentElement);
  if (!view) views.set(parentElement, (view = mount(parentElement)));
  const mine = ++view.generation;
  // A pick is told by position: a window that moves must not move what was picked.
  view.send = (cell) => {
    const { row_start: rowStart, column_start: columnStart } = view.header;
    setStateValue('cell', cell && [cell[0] + (rowStart ?? 0), cell[1] + (columnStart ?? 0)]);
  };
  const before = view.header;
  [view.header, view.data] = decode(data);
  takePick(view, before);
  view.title.textContent = view.header.title;
  view.caption.replaceChildren();
  for (const [at, part] of view.header.caption.entries()) {
    element(view.caption, at % 2 ? 'b' : 'span', '').append(...tokenNodes(part));
  }
  const told = unmarked(view.header.caption.join(''));
  view.plot.setAttribute('aria-label', `${view.header.title}. ${told} Arrow keys move from cell to cell.`);
  followWatch(view);
  repaint(view);
  // A superseded call may be cleaned up while the component lives: only the newest may take it down.
  return () => {
    if (view.generation === mine) { view.stop(); views.delete(parentElement); view.root.replaceChildren(); }
  };
}
