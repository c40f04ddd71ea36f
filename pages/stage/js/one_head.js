// One head large: queries down, keys across, the newest query in a frame; the value under the pointer in words.

function drawOneHead(surface, record, unit) {
  const { width, height, g } = surface;
  const seq = record.stop, { labels } = memory.header;
  const { layer, head } = shownHead(record);
  const left = Math.min(width * 0.24, unit * 5.6), bottom = Math.min(height * 0.2, unit * 4.4);
  const room = Math.min(width - left - 2, height - bottom - 2);
  const { from, size } = windowOf(seq, room / Math.max(7, unit * 0.62));
  const columns = size + (from ? 1.5 : 0);
  const cell = room / columns, line = cell > 5 ? 1 : cell > 3 ? 0.5 : 0;
  const x0 = left + (from ? 1.5 * cell : 0), newest = seq - 1;
  const keyX = (key) => (from && key === 0 ? left : x0 + (key - from) * cell);
  for (let query = from; query < seq; query += 1) {
    const y = (query - from) * cell;
    const keys = from ? [0] : [];
    for (let key = from; key <= query; key += 1) keys.push(key);
    for (const key of keys) {
      const value = weight(layer, head, query, key);
      if (value === undefined) continue;
      g.fillStyle = shadeStyle(value);
      g.fillRect(keyX(key), y, cell - line, cell - line);
    }
  }
  const letters = Math.max(7, Math.min(unit * 0.9, cell * 0.98));
  const every = Math.max(1, Math.ceil(letters / cell));
  for (let query = from; query < seq; query += 1) {
    const isNewest = query === newest;
    if (!isNewest && ((newest - query) % every || newest - query < every)) continue;
    surface.font(letters, { mono: true, bold: isNewest });
    surface.text(labels[query], left - 4, (query - from + 0.5) * cell, {
      align: "right", colour: isNewest ? theme.sampling : theme.muted, most: left - 6,
    });
  }
  const below = (seq - from) * cell + 4;
  surface.font(letters, { mono: true });
  for (let key = newest; key >= from; key -= every) slanted(surface, labels[key], keyX(key) + cell / 2, below, bottom, letters);
  if (from) slanted(surface, labels[0], left + cell / 2, below, bottom, letters);
  surface.outline(left - 0.5, (newest - from) * cell - 0.5, x0 - left + (newest - from + 1) * cell + 0.5, cell, theme.sampling, 1.6);
  surface.find = (x, y) => {
    const query = from + Math.floor(y / cell);
    const key = from && x >= left && x < left + cell ? 0 : from + Math.floor((x - x0) / cell);
    if (query < from || query >= seq || key < 0 || key > query || (key < from && key !== 0)) return null;
    const value = weight(layer, head, query, key);
    if (value === undefined) return { lines: ["not sent", `blocks.${layer}.attn.hook_pattern[${head}, ${query}, ${key}]`] };
    return {
      lines: [`${percent(value / 65535, 2)}`, `${labels[query]} (${query}) looks at ${labels[key]} (${key})`,
        `blocks.${layer}.attn.hook_pattern[${head}, ${query}, ${key}]`],
    };
  };
  return from ? `first token and the last ${seq - from} of ${seq} positions` : "";
}

function shadeStyle(value) {
  const rgba = shadeTable()[value >> 6];
  return `rgb(${rgba & 255},${(rgba >> 8) & 255},${(rgba >> 16) & 255})`;
}

function slanted(surface, label, x, y, room, size) {
  const { g } = surface;
  g.save();
  g.translate(x, y);
  g.rotate(Math.PI / 3.2);
  surface.text(label, 0, size * 0.1, { colour: theme.muted, most: room * 1.1 });
  g.restore();
}
