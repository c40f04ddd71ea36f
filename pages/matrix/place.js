// Where everything of a picture stands, and how large it is.

const LEGEND = 42, GAP = 4;
export const SHARE = 0.66; // of the width, at most, for a picture that has its words beside it
const WORDS = 180; // what the words need to be read with ease

export function geometry(ctx, header, ink, width) {
  const [rows, columns] = [header.rows.length, header.columns.length];
  const isMosaic = Boolean(header.tile), isTokens = header.column_start !== null && !isMosaic;
  const widest = (labels) => labels.reduce((most, text) => Math.max(most, ctx.measureText(text).width), 0);
  ctx.font = `12px ${ink.mono}`;
  const tokenRoom = Math.min(84, Math.max(56, width * 0.2));
  const left = header.row_start !== null ? tokenRoom : Math.min(120, widest(header.rows)) + 8;
  const roomy = widest(header.columns) + 6 <= (width - left) / columns;
  const top = isMosaic ? (header.columns.some(Boolean) ? 18 : 2) : (roomy && !isTokens ? 20 : 4);
  const bottom = isTokens ? 60 : isMosaic || roomy ? 8 : 60;
  const wide = width - left - 6, high = header.height - top - bottom - LEGEND;
  let w = wide, h = high;
  if (isMosaic) {
    const side = Math.floor(Math.min((wide - GAP * (columns - 1)) / columns, (high - GAP * (rows - 1)) / rows));
    w = side * columns + GAP * (columns - 1);
    h = side * rows + GAP * (rows - 1);
  } else if (header.square) {
    w = h = Math.min(wide, high);
  }
  const gap = isMosaic ? GAP : 0;
  return {
    rows,
    columns,
    left,
    top,
    w,
    h,
    gap,
    isMosaic,
    isTokens,
    roomy,
    cellW: (w - gap * (columns - 1)) / columns,
    cellH: (h - gap * (rows - 1)) / rows,
    total: top + h + bottom + LEGEND,
    legendY: top + h + bottom,
    x(c) {
      return left + c * (this.cellW + gap);
    },
    y(r) {
      return top + r * (this.cellH + gap);
    },
    hit(px, py) {
      const c = Math.floor((px - left) / (this.cellW + gap)), r = Math.floor((py - top) / (this.cellH + gap));
      return r >= 0 && c >= 0 && r < rows && c < columns ? [r, c] : null;
    },
  };
}

// A presenter's picture is drawn as a small one and enlarged: all its strokes and letters grow alike, and stay crisp.
export function sizesOf(root) {
  const css = getComputedStyle(root), read = (name) => parseFloat(css.getPropertyValue(name)) || 0;
  const type = read("--type") || 1, tall = read("--fill-tall"); // the height that there is for a picture alone
  const whole = read("--fill-whole"); // and with its words beside it
  return { type, tall: tall / type, whole: whole / type, key: `${type} ${tall}` };
}

// Squares that fill a window wide enough have their words on the left, and all of its height.
export function standsBeside({ header: { tile, square }, width, sizes: { type, tall } }) {
  const hasRoom = width * SHARE > tall * type && width * (1 - SHARE) > WORDS * type;
  return Boolean(tall && type > 1 && (tile || square)) && hasRoom;
}

// Squares shrink until all of a picture is in the window; rows of text keep the height that they need.
export function heightOf({ height, tile, square }, tall) {
  return tall && (tile || square) ? tall : Math.max(height, tall);
}
