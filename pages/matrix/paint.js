// Numbers to colours and pixels. No state, no events.

import { channels, fitted, hatching, isDark } from "../look/canvas.js";
import { fixed, number, percent, wholePercent } from "../look/numbers.js";

export const LEVELS = 512;

export function inkOf(root, header) {
  const css = getComputedStyle(root);
  const read = (name) => css.getPropertyValue(name).trim();
  const paper = channels(read("--st-background-color"));
  const ink = {
    ...(isDark(paper) ? header.dark : header.light),
    panel: read("--st-secondary-background-color"),
    text: read("--st-text-color"),
    line: read("--st-border-color"),
    focus: read("--st-primary-color"),
    sans: read("--st-font") || "sans-serif",
    mono: read("--st-code-font") || "monospace",
  };
  const mix = (to, t) => paper.map((from, i) => Math.round(from + (to[i] - from) * t));
  const [high, negative, positive] = ["high", "negative", "positive"].map((name) => channels(ink[name]));
  const isSigned = header.scale.kind === "signed";
  ink.levels = Array.from({ length: LEVELS + 1 }, (_, level) => {
    const t = level / LEVELS;
    if (!isSigned) return mix(high, t);
    return t < 0.5 ? mix(negative, 1 - 2 * t) : mix(positive, 2 * t - 1);
  });
  return ink;
}

// Where on the scale a value stands, from 0 to 1.
export function along(scale, value) {
  const t = value / scale.limit;
  if (scale.kind === "signed") return Math.min(1, Math.max(0, 0.5 + t / 2));
  const clipped = Math.min(1, Math.max(0, t));
  return scale.square_root ? Math.sqrt(clipped) : clipped;
}

export function colourOf(ink, scale, value) {
  return ink.levels[Math.round(along(scale, value) * LEVELS)];
}

// A block of cells as an image of at most wide x high pixels. Where cells outnumber pixels, the largest magnitude of
// those that share a pixel is shown. Cells without a value stay transparent.
export function imageOf(data, stride, top, left, rows, columns, wide, high, ink, scale) {
  const perRow = Math.max(1, Math.ceil(rows / high)), perColumn = Math.max(1, Math.ceil(columns / wide));
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil(columns / perColumn);
  canvas.height = Math.ceil(rows / perRow);
  const ctx = canvas.getContext("2d");
  const image = ctx.createImageData(canvas.width, canvas.height);
  for (let y = 0, at = 0; y < canvas.height; y++) {
    for (let x = 0; x < canvas.width; x++, at += 4) {
      let best = NaN;
      for (let r = y * perRow; r < Math.min(rows, (y + 1) * perRow); r++) {
        for (let c = x * perColumn; c < Math.min(columns, (x + 1) * perColumn); c++) {
          const value = data[(top + r) * stride + left + c];
          if (Number.isFinite(value) && !(Math.abs(value) <= Math.abs(best))) best = value;
        }
      }
      if (Number.isNaN(best)) continue;
      const [red, green, blue] = colourOf(ink, scale, best);
      image.data[at] = red;
      image.data[at + 1] = green;
      image.data[at + 2] = blue;
      image.data[at + 3] = 255;
    }
  }
  ctx.putImageData(image, 0, 0);
  return { canvas, perRow, perColumn };
}

export function hatch(ctx, ink, x, y, w, h) {
  ctx.fillStyle = hatching(ctx, ink.muted, 1, 0.4);
  ctx.fillRect(x, y, w, h);
}

export function shorten(ctx, text, room) {
  return fitted(ctx, text, room, 1);
}

export function numberText(scale, value) {
  if (value === -Infinity) return "masked (−∞)";
  if (!Number.isFinite(value)) return "no value";
  if (scale.percent) return percent(value);
  return number(value);
}

// The values that the legend writes under its bar.
export function ticksOf(scale) {
  if (scale.kind === "signed") return [-scale.limit, 0, scale.limit];
  if (scale.percent) return scale.square_root ? [0, 0.1, 0.5, 1] : [0, 0.5, 1];
  return scale.square_root ? [0, scale.limit / 4, scale.limit] : [0, scale.limit / 2, scale.limit];
}

export function tickText(scale, value) {
  if (scale.percent) return wholePercent(value);
  const text = Math.abs(value) >= 10 ? fixed(value, 0) : String(Number(value.toPrecision(2))).replace("-", "−");
  if (!scale.is_clipped || Math.abs(value) !== scale.limit) return text;
  return value < 0 ? `≤ ${text}` : `≥ ${text}`;
}

export function legend(ctx, header, ink, x, y, width) {
  const { scale } = header, wide = Math.min(150, width * 0.62);
  const label = scale.label + (scale.square_root ? ", square-root scale" : "");
  ctx.font = `12px ${ink.sans}`;
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  ctx.fillStyle = ink.muted;
  ctx.fillText(shorten(ctx, label, width), x, y + 11);
  for (let i = 0; i < wide; i++) {
    ctx.fillStyle = `rgb(${ink.levels[Math.round((i / wide) * LEVELS)].join()})`;
    ctx.fillRect(x + i, y + 17, 1.5, 8);
  }
  ctx.strokeStyle = ink.line;
  ctx.lineWidth = 1;
  ctx.strokeRect(x + 0.5, y + 17.5, wide, 8);
  ctx.font = `12px ${ink.sans}`;
  ctx.fillStyle = ink.muted;
  for (const [index, tick] of ticksOf(scale).entries()) {
    ctx.textAlign = index ? (tick === scale.limit ? "right" : "center") : "left";
    ctx.fillText(tickText(scale, tick), x + along(scale, tick) * wide + (tick === scale.limit ? 2 : 0), y + 37);
  }
  if (!header.hatched || width < wide + 70) return;
  hatch(ctx, ink, x + wide + 16, y + 17, 14, 9);
  ctx.strokeRect(x + wide + 16.5, y + 17.5, 14, 8);
  ctx.textAlign = "left";
  ctx.fillStyle = ink.muted;
  ctx.fillText(shorten(ctx, header.hatched, width - wide - 40), x + wide + 36, y + 25);
}
