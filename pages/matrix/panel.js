// One picture on its canvas: the cells, their labels and marks, the cell under the cursor.

import { luminance } from "../look/canvas.js";
import { FEW_ENDS, roundAbove } from "../look/numbers.js";
import { colourOf, hatch, imageOf, inkOf, legend, numberText, shorten } from "./paint.js";
import { geometry, heightOf, SHARE, sizesOf, standsBeside } from "./place.js";

const TURN = (-55 * Math.PI) / 180;

function fit(canvas, width, height, type) {
  const ratio = (globalThis.devicePixelRatio || 1) * type;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${(canvas.width / ratio) * type}px`; // whole device pixels, or letters become soft
  canvas.style.height = `${(canvas.height / ratio) * type}px`;
  const ctx = canvas.getContext("2d");
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  return ctx;
}

/** @returns {[number, number]} how many cells each pixel stands for, down and across */
function paintCells(ctx, view, ratio) {
  const { header, data, ink, place } = view;
  const [tileRows, tileColumns] = header.tile || header.shape;
  const across = header.tile ? place.columns : 1, down = header.tile ? place.rows : 1;
  const w = header.tile ? place.cellW : place.w, h = header.tile ? place.cellH : place.h;
  /** @type {[number, number]} */
  let pooled = [1, 1];
  ctx.imageSmoothingEnabled = false;
  for (let row = 0; row < down; row++) {
    for (let column = 0; column < across; column++) {
      const x = place.x(column), y = place.y(row);
      if (header.hatched) hatch(ctx, ink, x, y, w, h);
      const image = imageOf(
        data,
        header.shape[1],
        row * tileRows,
        column * tileColumns,
        tileRows,
        tileColumns,
        w * ratio,
        h * ratio,
        ink,
        header.scale,
      );
      pooled = [image.perRow, image.perColumn];
      ctx.drawImage(image.canvas, x, y, w, h);
      ctx.strokeStyle = ink.line;
      ctx.lineWidth = 1;
      ctx.strokeRect(x - 0.5, y - 0.5, w + 1, h + 1);
    }
  }
  return pooled;
}

function paintGrid(ctx, { header, ink, place }) {
  if (header.tile || Math.min(place.cellW, place.cellH) < 7) return;
  ctx.strokeStyle = ink.panel;
  ctx.lineWidth = header.text ? 2 : 1;
  ctx.beginPath();
  const [right, foot] = [place.left + place.w, place.top + place.h];
  for (let c = 1; c < place.columns; c++) {
    ctx.moveTo(place.x(c), place.top);
    ctx.lineTo(place.x(c), foot);
  }
  for (let r = 1; r < place.rows; r++) {
    ctx.moveTo(place.left, place.y(r));
    ctx.lineTo(right, place.y(r));
  }
  ctx.stroke();
}

function paintText(ctx, { header, data, ink, place }) {
  ctx.textBaseline = "middle";
  for (let r = 0; header.text && r < place.rows; r++) {
    for (let c = 0; c < place.columns; c++) {
      const x = place.x(c), y = place.y(r);
      if (place.isMosaic) {
        ctx.font = `600 12px ${ink.sans}`;
        ctx.fillStyle = ink.muted;
        ctx.textAlign = "right";
        ctx.fillText(shorten(ctx, header.text[r][c], place.cellW * 0.6), x + place.cellW - 5, y + 11);
        continue;
      }
      const value = data[r * place.columns + c];
      if (header.is_text && !Number.isFinite(value)) continue;
      const light = Number.isFinite(value) && luminance(colourOf(ink, header.scale, value)) > 0.2;
      const isBold = header.bold && header.bold[r][c];
      const isFaint = header.is_text && Math.abs(value) < header.scale.limit / 100; // so that it still reads as a text
      const amount = place.cellW > 92 && !isFaint ? numberText(header.scale, value) : "";
      ctx.fillStyle = !Number.isFinite(value) ? ink.muted : light ? "#14181c" : "#ffffff";
      ctx.font = `12px ${ink.sans}`;
      ctx.textAlign = "right";
      if (amount) ctx.fillText(amount, x + place.cellW - 6, y + place.cellH / 2 + 0.5);
      const inset = Math.min(6, place.cellW * 0.06);
      const room = place.cellW - 2 * inset - (amount ? ctx.measureText(amount).width + 6 : 0);
      ctx.font = `${isBold ? "700 " : ""}12px ${ink.mono}`;
      ctx.textAlign = "left";
      if (place.cellH >= 12) ctx.fillText(shorten(ctx, header.text[r][c], room), x + inset, y + place.cellH / 2 + 0.5);
    }
  }
}

// Which labels are written, `step` apart: the marked one, or the last, and the first. Numbers count from 0.
function writtenLabels(count, step, mark, isNumbers) {
  const anchor = mark ?? (isNumbers ? 0 : count - 1);
  const isDue = (index) => (index - anchor) % step === 0;
  const written = [];
  for (let index = 0; index < count; index++) {
    const isFirst = index === 0 && (anchor === 0 || anchor >= step);
    if (isFirst || index === anchor || (isDue(index) && index >= step)) written.push(index);
  }
  return new Set(written);
}

function paintLabels(ctx, { header, ink, place }) {
  const stepOf = (cell, least) => Math.max(1, Math.ceil(least / cell));
  const isNumbers = header.columns.every((text, c) => text === String(c));
  const rowStep = stepOf(place.cellH + place.gap, 13), tight = stepOf(place.cellW + place.gap, 15);
  const columnStep = place.roomy ? 1 : isNumbers ? roundAbove(tight, FEW_ENDS) : tight;
  const rowsDue = writtenLabels(place.rows, rowStep, header.mark_row, false);
  const columnsDue = writtenLabels(place.columns, columnStep, header.mark_column, isNumbers);
  const write = (text, index, mark) => {
    ctx.fillStyle = index === mark ? ink.mark : ink.muted;
    ctx.font = `${index === mark ? "700 " : ""}12px ${ink.mono}`;
    return text;
  };
  ctx.textBaseline = "middle";
  header.rows.forEach((text, r) => {
    if (!rowsDue.has(r)) return;
    write(text, r, place.isMosaic ? null : header.mark_row);
    ctx.textAlign = "right";
    ctx.fillText(shorten(ctx, text, place.left - 8), place.left - 6, place.y(r) + place.cellH / 2);
  });
  header.columns.forEach((text, c) => {
    if (!columnsDue.has(c)) return;
    write(text, c, place.isMosaic ? null : header.mark_column);
    const x = place.x(c) + place.cellW / 2;
    if (place.isMosaic || (place.roomy && !place.isTokens)) {
      ctx.textAlign = "center";
      ctx.fillText(text, x, place.top - 9);
      return;
    }
    ctx.save();
    ctx.translate(x + 4, place.top + place.h + 7);
    ctx.rotate(TURN);
    ctx.textAlign = "right";
    ctx.fillText(shorten(ctx, text, 64), 0, 0);
    ctx.restore();
  });
  return [rowStep, columnStep];
}

function paintMarks(ctx, { header, ink, place }) {
  ctx.strokeStyle = ctx.fillStyle = ink.mark;
  ctx.lineWidth = 2;
  if (place.isMosaic && header.mark_row !== null) {
    const y = (header.mark_row + 0.5) / header.tile[0] * place.cellH;
    for (let r = 0; r < place.rows; r++) {
      for (let c = 0; c < place.columns; c++) ctx.fillRect(place.x(c) - 3, place.y(r) + y - 2, 3, 4);
    }
    return;
  }
  const frame = (x, y, w, h) => ctx.strokeRect(x - 1, y - 1, w + 2, h + 2);
  if (header.mark_row !== null) frame(place.left, place.y(header.mark_row), place.w, place.cellH);
  if (header.mark_column !== null) frame(place.x(header.mark_column), place.top, place.cellW, place.h);
}

// Row and column of the position that a person watches on the strip; see pages/stage/js/watched.js.
function paintWatched(ctx, { header, ink, place }) {
  const watched = globalThis.gpt2Stage?.state?.watched?.position;
  if (watched === undefined || place.isMosaic) return;
  const index = (start, size) => {
    const at = start === null ? -1 : watched - start;
    return at >= 0 && at < size ? at : null;
  };
  const row = index(header.row_start, place.rows), column = index(header.column_start, place.columns);
  ctx.strokeStyle = ink.watched;
  ctx.lineWidth = 2;
  if (row !== null) ctx.strokeRect(place.left - 1, place.y(row) - 1, place.w + 2, place.cellH + 2);
  if (column !== null) ctx.strokeRect(place.x(column) - 1, place.top - 1, place.cellW + 2, place.h + 2);
}

function ordinal(n) {
  return `${n}${n % 10 === 2 && n % 100 !== 12 ? "nd" : n % 10 === 3 && n % 100 !== 13 ? "rd" : "th"}`;
}

// What had to be left out for want of room, in words.
function economies(rowStep, columnStep, [perRow, perColumn], header) {
  const said = [];
  const step = Math.max(rowStep, columnStep);
  if (step > 1 && !header.tile) said.push(`Every ${ordinal(step)} label is written, and the first.`);
  if (perRow * perColumn > 1) said.push(`Each pixel shows the largest of ${perRow} × ${perColumn} cells.`);
  return said.join(" ");
}

export function paintPicture(view) {
  const { type, tall, whole } = (view.sizes = sizesOf(view.root)), isBeside = standsBeside(view);
  const ratio = (globalThis.devicePixelRatio || 1) * type;
  const probe = view.base.getContext("2d");
  view.ink = inkOf(view.root, view.header);
  view.root.classList.toggle("beside", isBeside);
  const header = { ...view.header, height: isBeside ? whole : heightOf(view.header, tall) };
  let width = Math.floor((view.width * (isBeside ? SHARE : 1)) / type);
  view.place = geometry(probe, header, view.ink, width);
  if (isBeside) width = Math.min(width, Math.ceil(view.place.left + view.place.w) + 6);
  view.wide = width;
  view.root.style.setProperty("--matrix-muted", view.ink.muted);
  view.root.style.setProperty("--matrix-mark", view.ink.mark);
  return paintOn(fit(view.base, width, view.place.total, type), view, width, ratio);
}

// All of the picture but its cursor, on a canvas or on another pen with the same interface.
export function paintOn(ctx, view, width, ratio) {
  const pooled = paintCells(ctx, view, ratio);
  paintGrid(ctx, view);
  paintText(ctx, view);
  const [rowStep, columnStep] = paintLabels(ctx, view);
  paintMarks(ctx, view);
  paintWatched(ctx, view);
  legend(ctx, view.header, view.ink, view.place.left, view.place.legendY, width - view.place.left - 6);
  return economies(rowStep, columnStep, pooled, view.header);
}

export function paintCursor(view) {
  const { place, ink, chosen, cursor, sizes: { type } } = view;
  const ctx = fit(view.over, view.wide, place.total, type);
  const outline = (cell, colour, thick) => {
    if (!cell || cell[0] >= place.rows || cell[1] >= place.columns) return;
    ctx.strokeStyle = colour;
    ctx.lineWidth = thick;
    ctx.strokeRect(place.x(cell[1]) - 1, place.y(cell[0]) - 1, place.cellW + 2, place.cellH + 2);
  };
  outline(chosen, ink.text, 2.5);
  if (!view.entered || cursor?.join() !== view.entered.join()) return outline(cursor, ink.text, 1.5);
  outline(cursor, ink.panel, 6); // so that the ring of the keys can be told from cells of any colour
  outline(cursor, ink.focus, 2.5);
}
