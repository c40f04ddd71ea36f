// The matrix on the page: one mount for each key, repainted whenever data, size or theme change.
const views = (globalThis.gpt2Matrices ??= new WeakMap());
const SHARED = 'gpt2-matrix-cell';
const SOON_MS = 500, LATER_MS = 1500, LONGEST_MS = 8000; // how long an answer to a pick is waited for, longer each time
// What the stage says; see lock.js and watched.js in pages/stage/js.
const LOCK_CHANGED = 'gpt2-lock', LET_GO = 'gpt2-let-go', WATCH_CHANGED = 'gpt2-watch';

function describe(view, [r, c]) {
  const { header, data } = view;
  const [row, column] = [nameOf(view, 'row', r), nameOf(view, 'column', c)];
  const hook = header.hook
    .replaceAll('{row}', () => (header.row_names || header.rows)[r])
    .replaceAll('{column}', () => (header.column_names || header.columns)[c])
    .replaceAll('{r}', r + (header.row_start ?? 0)).replaceAll('{c}', c + (header.column_start ?? 0));
  const text = header.text?.[r][c] && !header.tile ? `${spoken(header.text[r][c])} ` : '';
  const value = header.tile ? '' : text + numberText(header.scale, data[r * header.shape[1] + c]);
  const whole = (title, name) => [title, name].filter(Boolean).join(' ');
  const places = [whole(header.row_title, row), whole(header.column_title, column)];
  const names = places.join(header.square ? ' → ' : ', '); // rows of squares look at columns
  return { value, where: header.notes ? header.notes[r][c] : names, hook };
}

const KEYS_OF_CELLS = 'Arrow keys move from cell to cell.', BAR = 52; // pixels of the window under Streamlit's bar

function keysOf({ locks }) { return `${KEYS_OF_CELLS} Enter ${locks ? 'locks a head' : 'holds a cell'}. Esc leaves.`; }

function showCell(view, cell, { tip = false, speak = false, hint = '' } = {}) {
  view.cursor = cell;
  if (!view.place) return; // nothing is painted yet; the first painting shows it
  paintCursor(view);
  const shown = cell || view.chosen;
  const said = shown && shown[0] < view.place.rows && shown[1] < view.place.columns ? describe(view, shown) : null;
  const readout = said ? [said.value, said.where, said.hook].filter(Boolean).join(' · ') : '';
  view.readout.replaceChildren(...tokenNodes(readout));
  view.tip.hidden = !(tip && cell);
  if (tip && cell) {
    view.tip.replaceChildren();
    const [first, second] = said.value ? [said.value, said.where] : [said.where, ''];
    for (const [tag, text] of [['b', first], ['span', second], ['i', said.hook], ['span', hint]]) {
      if (text) element(view.tip, tag, '').append(...tokenNodes(text));
    }
    placeTip(view, cell);
  }
  if (!speak || !said || !globalThis.gpt2Stage?.say) return;
  const held = view.isPicked && isSame(cell, view.chosen) ? (view.header.locks ? 'locked' : 'picked') : '';
  globalThis.gpt2Stage.say(unmarked([said.value, said.where, held].filter(Boolean).join(', ')));
}

// Below the cell and inside the window, or above it where a finger covers what is below.
function placeTip({ place, plot, tip, wide, isTouch, sizes: { type } }, [row, column]) {
  const x = type * (place.x(column) + place.cellW / 2), y = type * place.y(row), high = type * place.cellH;
  const gap = isTouch ? 24 : 10, edge = plot.getBoundingClientRect().top;
  const above = y - tip.offsetHeight - gap, below = y + high + gap;
  const fitsAbove = edge + above >= BAR, fitsBelow = edge + below + tip.offsetHeight <= innerHeight;
  const left = isTouch ? x - tip.offsetWidth / 2 : x + 10;
  tip.style.left = `${Math.max(0, Math.min(left, wide * type - tip.offsetWidth))}px`;
  tip.style.top = `${(isTouch ? fitsAbove : !fitsBelow && fitsAbove) ? above : below}px`;
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
  askAgain(view, { at: view.isPicked ? positionOf(view, view.chosen) : null, wait: SOON_MS });
}

// A pick is told by position: a window that moves must not move what was picked.
function positionOf({ header }, cell) {
  return cell && [cell[0] + (header.row_start ?? 0), cell[1] + (header.column_start ?? 0)];
}

// While a page is being drawn Streamlit may take a pick and not draw the page for it: tell it until the frame is there.
function askAgain(view, wanted) {
  view.wanted = wanted;
  setTimeout(() => {
    const { at, wait } = wanted;
    if (view.wanted !== wanted || wait > LONGEST_MS || !view.root.isConnected) return;
    view.send(at);
    askAgain(view, { at, wait: 2 * wait });
  }, wanted.wait);
}

// What has been answered is not asked again, though a chart may pick another cell since.
function takeAnswer(view) {
  const { selected, is_picked: isPicked } = view.header, at = view.wanted?.at;
  if (at ? isPicked && isSame(at, positionOf(view, selected)) : !isPicked) view.wanted = null;
}

// A cell that is let go stays in its frame until Python says which cell comes instead.
function pick(view, cell) {
  if (cell || !view.header.selected) view.chosen = cell;
  view.isPicked = Boolean(cell);
  view.badge.hidden = !view.isPicked;
  if (!view.header.selectable) return;
  const at = positionOf(view, cell);
  view.send(at);
  askAgain(view, { at, wait: LATER_MS });
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
  if (header.locks) {
    globalThis.gpt2Stage?.toggleHead?.(header.rows.length - 1 - cell[0], cell[1]);
    view.pinned = view.isTouch ? cell : null; // no pointer rests on it to hold its value up
    if (view.isTouch || view.entered) showCell(view, cell, { tip: true, speak: true });
    return;
  }
  const isUnread = view.isTouch && view.tip.hidden; // a finger may want to read what another picture has picked
  if (!isUnread && isSame(cell, view.isPicked ? view.chosen : view.pinned)) return letGo(view);
  view.pinned = cell;
  if (header.selectable || header.group) pick(view, cell);
  showCell(view, cell, { tip: true, speak: true });
  share(view, 'pick', cell);
}

function listen(view) {
  const { plot } = view;
  const at = (event) => {
    const box = plot.getBoundingClientRect();
    const { place, sizes: { type } } = view;
    return place.hit((event.clientX - box.left) / type, (event.clientY - box.top) / type);
  };
  const hovers = (event) => event.pointerType !== 'touch' && !view.pinned;
  plot.addEventListener('pointermove', (event) => {
    plot.style.cursor = at(event) ? 'pointer' : 'default';
    if (hovers(event)) move(view, at(event), { tip: true });
  });
  plot.addEventListener('pointerleave', (event) => {
    if (hovers(event)) move(view, view.entered, { tip: Boolean(view.entered) });
  });
  plot.addEventListener('pointerdown', (event) => {
    Object.assign(view, { isPointed: true, entered: null, isTouch: event.pointerType === 'touch' });
  });
  plot.addEventListener('click', (event) => {
    const cell = at(event);
    if (cell) press(view, cell);
    else if (view.isTouch) leave(view);
  });
  plot.addEventListener('focus', () => { if (!view.isPointed) enter(view); });
  plot.addEventListener('blur', () => {
    if (plot.getRootNode().activeElement === plot) return; // the whole window has lost the focus
    view.isPointed = false;
    leave(view);
  });
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
    pointerup: (event) => {
      const isElsewhere = view.isTouch && view.cursor && !event.composedPath().includes(plot);
      if (isElsewhere && event.pointerType === 'touch') leave(view);
    },
  };
  for (const [name, answer] of Object.entries(answers)) globalThis.addEventListener(name, answer);
  const isOld = () => Math.floor(view.root.clientWidth) !== view.width || sizesOf(view.root).key !== view.sizes?.key;
  const watcher = new ResizeObserver(() => { if (isOld()) repaint(view); });
  watcher.observe(view.root);
  view.stop = () => {
    watcher.disconnect();
    for (const [name, answer] of Object.entries(answers)) globalThis.removeEventListener(name, answer);
  };
}

function mount(parent) {
  const root = parent.querySelector('.matrix');
  const view = { root, generation: 0, cursor: null, pinned: null, chosen: null, isPicked: false };
  Object.assign(view, { entered: null, isPointed: false, isTouch: false });
  const head = element(root, 'div', 'head');
  view.title = element(head, 'span', 'title');
  view.tools = element(head, 'span', '');
  view.caption = element(root, 'div', 'caption');
  view.badge = element(root, 'button', 'badge');
  view.badge.type = 'button';
  view.plot = element(root, 'div', 'plot');
  view.base = element(view.plot, 'canvas', '');
  view.over = element(view.plot, 'canvas', '');
  view.tip = element(view.plot, 'div', 'tip');
  view.tip.hidden = true;
  for (const name of ['readout', 'note']) view[name] = element(root, 'div', name);
  view.plot.tabIndex = 0;
  view.plot.setAttribute('role', 'application');
  view.plot.setAttribute('aria-roledescription', 'picture');
  listen(view);
  root.still = () => view.header && stillOf(view); // the stage asks for it; see pages/stage/js/still.js
  // The first picture asks for the page's letters and may be drawn before they are here.
  requestAnimationFrame(() => document.fonts.ready.then(() => repaint(view)));
  return view;
}

function repaint(view) {
  const width = Math.floor(view.root.clientWidth);
  if (!view.header || width < 40) return;
  view.width = width;
  view.note.textContent = paintPicture(view);
  const { rows, columns } = view.place;
  const isGone = (cell) => cell && (cell[0] >= rows || cell[1] >= columns);
  if (isGone(view.cursor) || isGone(view.pinned)) view.cursor = view.pinned = null;
  if (view.entered) view.cursor = view.entered = nearestCell(view.entered, rows, () => columns);
  showCell(view, view.cursor, { tip: Boolean(view.pinned || view.entered) });
}

// The frame of a new picture: as Python says, or where a person has put it if Python is not told of picks here.
function takePick(view, before) {
  const { header } = view;
  if (!before) view.follows = header.follows ?? undefined; // so it need not be picked again
  if (header.selected) {
    [view.chosen, view.isPicked] = [header.selected, header.is_picked];
  } else if (header.is_picked) { // by a chart, of what this picture has no cell for
    [view.chosen, view.isPicked] = [null, true];
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
  view.send = (at) => { if (!globalThis.gpt2Stage?.isLeaving?.()) setStateValue('cell', at); };
  const before = view.header;
  [view.header, view.data] = decode(data);
  takeAnswer(view);
  takePick(view, before);
  view.title.textContent = view.header.title;
  if (before?.panel !== view.header.panel) view.tools.outerHTML = headingTools(view.header.panel);
  view.caption.replaceChildren();
  for (const [at, part] of view.header.caption.entries()) {
    element(view.caption, at % 2 ? 'b' : 'span', '').append(...tokenNodes(part));
  }
  view.plot.setAttribute('aria-label', `${view.header.title}. ${unmarked(view.header.caption.join(''))}`);
  view.plot.setAttribute('aria-description', (view.title.title = keysOf(view.header)));
  followWatch(view);
  repaint(view);
  // A superseded call may be cleaned up while the component lives: only the newest may take it down.
  return () => {
    if (view.generation === mine) { view.stop(); views.delete(parentElement); view.root.replaceChildren(); }
  };
}
