// The picture as the stage takes it away: drawn anew, as wide as it needs to be; its numbers are a table.

import { inkOf } from "./paint.js";
import { paintOn } from "./panel.js";
import { geometry } from "./place.js";
import { tableOf } from "./table.js";

const STILL = 960;

export function stillOf(view) {
  const { header, data, root } = view, ink = inkOf(root, header);
  const probe = document.createElement("canvas").getContext("2d");
  const at = (width) => geometry(probe, header, ink, width);
  const wide = at(STILL), width = wide.isMosaic || header.square ? Math.min(STILL, wide.left + wide.w + 6) : STILL;
  const place = at(width);
  return {
    width,
    height: place.total,
    table: () => tableOf(header, data),
    paint: (pen, scale) => paintOn(pen, { ...view, ink, place }, width, scale),
  };
}
