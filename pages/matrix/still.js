// The picture as the stage takes it away: drawn anew, as wide as it needs to be; its numbers are a table.
const STILL = 960;

function stillOf(view) {
  const { header, data, root } = view, ink = inkOf(root, header);
  const probe = document.createElement('canvas').getContext('2d');
  const at = (width) => geometry(probe, header, ink, width);
  const wide = at(STILL), width = wide.isMosaic || header.square ? Math.min(STILL, wide.left + wide.w + 6) : STILL;
  const place = at(width);
  return {
    width, height: place.total, table: () => tableOf(header, data),
    paint: (pen, scale) => paintOn(pen, { ...view, ink, place }, width, scale),
  };
}
