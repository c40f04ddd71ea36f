// Where a key moves the cursor of a picture: cells stand in rows, and a row may be shorter than another.

// The cell after an arrow, Home or End; null after any other key. `columns(row)` is how many cells a row has.
export function cellAfter(key, [row, column], rows, columns) {
  const to = {
    ArrowUp: [row - 1, column],
    ArrowDown: [row + 1, column],
    ArrowLeft: [row, column - 1],
    ArrowRight: [row, column + 1],
    Home: [row, 0],
    End: [row, Infinity],
  }[key];
  return to ? nearestCell(to, rows, columns) : null;
}

// The cell itself, or the one next to where it was if the picture has become smaller.
export function nearestCell([row, column], rows, columns) {
  const inside = Math.min(rows - 1, Math.max(0, row));
  return [inside, Math.min(columns(inside) - 1, Math.max(0, column))];
}
