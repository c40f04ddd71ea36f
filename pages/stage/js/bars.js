// What comes next: the likeliest tokens, what the filters took away hatched, the drawn one in bold. A click on another
// offers a branch with it.

import { hatching } from "../../look/canvas.js";
import { percent } from "../../look/numbers.js";
import { spoken } from "../../look/tokens.js";
import { HAS_IT, offerBranch } from "./branch.js";
import { mix, theme } from "./theme.js";
import { howMade } from "./token_facts.js";

export const CUTS = ["", "cut by top-k", "cut by top-p"];

export function drawBars(surface, record, unit) {
  const { width, height } = surface;
  const { next } = record;
  if (!next) return "";
  const slots = Math.max(4, Math.min(17, Math.floor(height / (unit * 1.45))));
  const shown = next.bars.slice(0, Math.min(slots, 16));
  const drawn = next.bars.find((bar) => bar.chosen);
  if (!shown.includes(drawn)) {
    if (shown.length === slots) shown.pop();
    shown.push(drawn);
  }
  const most = Math.max(...shown.map((bar) => Math.max(bar.raw, bar.final)));
  const full = [0.1, 0.2, 0.3, 0.5, 0.75, 1].find((share) => share >= most);
  const left = width * 0.34, right = unit * 3.6, room = width - left - right;
  const pitch = Math.min(height / slots, unit * 2.2), bar = pitch * 0.66;
  const stripes = hatching(surface.g, theme.muted);
  shown.forEach((row, n) => {
    const y = n * pitch + (pitch - bar) / 2, middle = y + bar / 2;
    const quiet = row.cut ? theme.muted : theme.text;
    surface.font(unit * 0.95, { mono: true, bold: row.chosen });
    surface.text(row.label, left - unit * 0.5, middle, {
      align: "right",
      colour: row.chosen ? theme.sampling : quiet,
      most: left - unit * 0.6,
    });
    const long = Math.max(1, (row.raw / full) * room);
    if (row.cut) {
      surface.g.fillStyle = stripes;
      surface.g.fillRect(left, y, Math.max(long, unit * 0.5), bar);
    } else {
      surface.box(left, y, long, bar, mix(theme.panel, theme.sampling, row.chosen ? 1 : 0.55), 2);
      const end = left + (row.final / full) * room;
      if (Math.abs(end - left - long) > 3) {
        if (end > left + long) surface.box(left + long, middle - 0.75, end - left - long, 1.5, theme.muted);
        surface.box(end - 1, y + bar * 0.12, 2, bar * 0.76, theme.text);
      }
    }
    surface.font(unit * 0.95, { bold: row.chosen });
    surface.text(percent(row.raw), width, middle, { align: "right", colour: quiet });
  });
  if (drawn.rank > shown.length) {
    surface.box(0, (shown.length - 1) * pitch - 0.5, width, 1, theme.line);
  }
  surface.find = (_x, y) => surface.at(Math.floor(y / pitch), 0);
  const tell = (n) => {
    const row = shown[n];
    const fate = row.cut ? CUTS[row.cut] : `${percent(row.final, 2)} in the draw`;
    const place = `rank ${row.rank} · ${fate}${row.chosen ? ` · ${howMade(next)}` : ""}`;
    const own = row.chosen ? [HAS_IT] : [];
    const lines = [`${percent(row.raw, 2)} ${spoken(row.label)}`, place, ...own, `softmax(logits)[${row.token}]`];
    const number = { opens: { kind: "hook", hook: "logits", index: [record.stop - 1, row.token] }, name: lines.at(-1) };
    const click = (isTouch) => offerBranch(surface, row, surface.cells.box(n), isTouch, number);
    return row.chosen ? { lines, opens: number.opens } : { lines, click };
  };
  surface.cells = {
    rows: shown.length,
    columns: () => 1,
    start: [0, 0],
    tell,
    box: (n) => [0, n * pitch, width, pitch],
  };
  const beyond = drawn.rank > shown.length ? `; ${spoken(drawn.label)} is rank ${drawn.rank}` : "";
  const cut = shown.some((row) => row.cut) ? " · hatched: cut" : "";
  return `Bars and per cent: the model's own, T 1 · tick: in the draw${cut}${beyond}`;
}
