// The draw of a sample: the final probabilities laid end to end, and the number u that falls on one of them.

import { bits, fixed, percent } from "../../look/numbers.js";
import { spoken } from "../../look/tokens.js";
import { HAS_IT, offerBranch } from "./branch.js";
import { mix, theme } from "./theme.js";

export function drawSampleBar(surface, record, unit) {
  const { width, height, g } = surface;
  const { next } = record;
  if (!next) return;
  const top = unit * 1.5, tall = Math.min(unit * 3.2, Math.max(unit * 1.2, height - top - unit * 2.6));
  const places = [];
  let sum = 0;
  for (const [label, share, token] of next.segments) {
    places.push({ label, share, token, from: sum, to: sum + share, drawn: token === next.token });
    sum += share;
  }
  if (next.rest > 0) {
    const inRest = !places.some((place) => place.drawn);
    const label = `${next.kept - next.segments.length} more`;
    places.push({ label, share: next.rest, from: sum, to: 1, rest: true, drawn: false });
    if (inRest) places.push({ label: next.label, share: next.final, from: next.from, to: next.to, drawn: true });
  }
  const isChosen = next.u === null; // by a person: then no number was drawn
  const at = (isChosen ? next.from : next.u) * width;
  surface.font(unit * 0.85, { mono: true });
  places.forEach((place, n) => {
    const x = place.from * width, wide = Math.max((place.to - place.from) * width, place.drawn ? 2 : 0);
    const shade = place.drawn ? 1 : place.rest ? 0.1 : n % 2 ? 0.26 : 0.36;
    surface.box(x, top, Math.max(0.5, wide - (wide > 3 ? 1 : 0)), tall, mix(theme.panel, theme.sampling, shade));
    if (place.rest && wide > unit * 5) {
      const free = at < width - unit * 6;
      surface.text(place.label, free ? width - unit * 0.5 : x + unit * 0.4, top + tall / 2, {
        align: free ? "right" : "left",
        colour: theme.muted,
      });
    } else if (!place.rest && wide > unit * 2.2) {
      surface.text(place.label, x + unit * 0.3, top + tall / 2, {
        most: wide - unit * 0.6,
        colour: place.drawn ? theme.panel : theme.text,
      });
    }
  });
  if (!isChosen) {
    surface.box(at - 1, top - unit * 0.3, 2, tall + unit * 0.6, theme.text);
    g.beginPath();
    g.moveTo(at - unit * 0.5, top - unit * 0.95);
    g.lineTo(at + unit * 0.5, top - unit * 0.95);
    g.lineTo(at, top - unit * 0.1);
    g.fill();
  }
  surface.font(unit * 0.85, { bold: true });
  const name = isChosen ? "chosen by hand" : `u = ${fixed(next.u, 3)}`;
  const isLeft = at + g.measureText(name).width + unit > width;
  surface.text(name, at + (isLeft ? -unit : unit) * 0.8, top - unit * 0.75, { align: isLeft ? "right" : "left" });
  surface.font(unit * 0.8);
  const under = top + tall + unit * 0.9;
  surface.text("0", 0, under, { colour: theme.muted });
  surface.text("1", width, under, { align: "right", colour: theme.muted });
  const facts = `own ${percent(next.raw)} · final ${percent(next.final)} · ${bits(next.surprisal)}`;
  surface.text(facts, width / 2, under, { align: "center", colour: theme.muted });
  surface.find = (x, y) => {
    if (y < top - unit || y > top + tall + 4) return null;
    const share = x / width;
    return surface.at(0, places.findLastIndex((one) => share >= one.from && share < one.to));
  };
  const tell = (row, n) => {
    const place = places[n];
    const span = `u from ${fixed(place.from, 3)} to ${fixed(place.to, 3)}`;
    const name = place.rest ? place.label : spoken(place.label);
    const own = place.drawn ? [HAS_IT] : [];
    const lines = [`${percent(place.share, 2)} ${name}`, span, ...own, "after temperature, top-k and top-p"];
    const click = (isTouch) => offerBranch(surface, place, surface.cells.box(row, n), isTouch);
    return place.drawn || place.rest ? { lines } : { lines, click };
  };
  surface.cells = {
    rows: 1,
    columns: () => places.length,
    start: [0, Math.max(0, places.findLastIndex((one) => one.drawn))],
    tell,
    box: (_row, n) => [places[n].from * width, top, (places[n].to - places[n].from) * width, tall],
  };
}
