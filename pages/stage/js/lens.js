// What each layer would say next: the final norm and the unembedding, read off the stream after every layer.

// Evenly spaced rows of the lens that fit, the first, the last and the locked layer's always among them.
function lensColumns(rows, most) {
  const fit = Math.max(2, Math.min(rows, most));
  const columns = new Set();
  for (let n = 0; n < fit; n += 1) columns.add(Math.round((n * (rows - 1)) / (fit - 1)));
  if (state.lock && fit < rows) columns.add(state.lock.layer + 1);
  return [...columns].sort((a, b) => a - b);
}

function drawLens(surface, record, unit) {
  const { width, height } = surface;
  const { lens } = record;
  if (!lens) {
    surface.font(unit);
    return surface.text("This run was made without the logit lens.", 0, unit, { colour: theme.muted });
  }
  const rows = lens.labels.length;
  const columns = lensColumns(rows, Math.floor(width / (unit * 4)));
  const head = unit * 1.5, pitch = width / columns.length, gap = unit * 0.3;
  const lines = Math.max(1, Math.min(lens.labels[0].length, Math.floor((height - head) / (unit * 1.65))));
  const tall = (height - head) / lines;
  const drawn = record.next ? record.next.token : -1, wide = pitch > unit * 6.4;
  const marked = state.lock ? state.lock.layer + 1 : -1;
  columns.forEach((row, n) => {
    const x = n * pitch;
    surface.font(unit * 0.9, { bold: row === marked });
    surface.text(row === 0 ? "embedding" : layerName(row - 1), x, head * 0.4, {
      colour: row === marked ? theme.text : theme.muted, most: pitch - gap,
    });
    for (let line = 0; line < lines; line += 1) {
      const share = lens.probabilities[row][line], isDrawn = lens.ids[row][line] === drawn;
      const y = head + line * tall, middle = y + (tall - gap * 0.6) / 2;
      const colour = isDrawn ? theme.sampling : theme.residual;
      const depth = (isDrawn ? 0.16 : 0.06) + 0.5 * Math.sqrt(share);
      surface.box(x, y, pitch - gap, tall - gap * 0.6, mix(theme.panel, colour, depth), 2);
      surface.font(unit * 0.92, { mono: true, bold: isDrawn });
      surface.text(lens.labels[row][line], x + unit * 0.4, middle, { most: pitch - gap - unit * (wide ? 3.3 : 0.6) });
      surface.font(unit * 0.8);
      if (!wide) continue;
      surface.text(wholePercent(share), x + pitch - gap - unit * 0.4, middle, {
        align: "right", colour: mix(theme.text, theme.panel, 0.25),
      });
    }
  });
  surface.find = (x, y) => {
    const row = columns[Math.floor(x / pitch)], line = Math.floor((y - head) / tall);
    if (row === undefined || line < 0 || line >= lines) return null;
    const hook = row === 0 ? "blocks.0.hook_resid_pre" : `blocks.${row - 1}.hook_resid_post`;
    const lines_ = [`${percent(lens.probabilities[row][line], 2)} ${lens.labels[row][line]}`];
    if (record.next) lines_.push(`${record.next.label}, drawn: ${percent(lens.drawn[row], 2)}`);
    return { lines: [...lines_, `softmax(lm_head(ln_f(${hook}[${record.stop - 1}])))`] };
  };
  return columns.length < rows ? `${columns.length} of ${rows} rows shown` : "";
}
