// One row for each number: where it stands, by number and by name, and the label that is written into its cell.
export function tableOf(header, data) {
  const [rows, columns] = header.shape, [high, wide] = header.tile || [1, 1], { scale } = header;
  const name = (axis, at) => (header[`${axis}_names`] || header[`${axis}s`])[at];
  const place = (axis, at) => [at + (header[`${axis}_start`] ?? 0), name(axis, at)];
  const unit = scale.label + (scale.percent ? " (share of 1)" : "");
  const within = header.tile ? ["row within", "column within"] : [];
  const labelled = header.text && !header.tile ? ["label"] : [];
  const table = [["row", "row name", "column", "column name", ...within, ...labelled, unit]];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const [r, c] = [Math.floor(row / high), Math.floor(column / wide)];
      const inside = header.tile ? [row % high, column % wide] : [];
      const label = labelled.length ? [header.text[r][c]] : [];
      table.push([...place("row", r), ...place("column", c), ...inside, ...label, data[row * columns + column]]);
    }
  }
  return table;
}
