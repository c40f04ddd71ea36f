// What every drawing on a canvas needs: colours as numbers, text that fits, and the hatching of what is left out.

export const SVG = "http://www.w3.org/2000/svg"; // the namespace of its elements

// Red, green and blue of a CSS colour, from 0 to 255; white if it is none that is known here.
export function channels(colour) {
  const hex = /^#([0-9a-f]{6})/i.exec(colour.trim());
  if (hex) return [0, 2, 4].map((at) => parseInt(hex[1].slice(at, at + 2), 16));
  const numbers = colour.match(/[\d.]+/g);
  return numbers && numbers.length >= 3 ? numbers.slice(0, 3).map(Number) : [255, 255, 255];
}

// Relative luminance (WCAG 2.2) of red, green and blue; black and white text read equally well on 0.2.
export function luminance(colour) {
  const [r, g, b] = colour.map((part) => (part <= 10 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

export function isDark(colour) {
  return luminance(colour) < 0.2;
}

// The longest beginning of a text that fits, with … for what was left out; at least `least` characters of it.
export function fitted(g, text, room, least = 0) {
  if (g.measureText(text).width <= room) return text;
  const chars = [...text];
  let low = Math.min(least, chars.length), high = chars.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (g.measureText(`${chars.slice(0, middle).join("")}…`).width <= room) low = middle;
    else high = middle - 1;
  }
  return low ? `${chars.slice(0, low).join("")}…` : "";
}

export function hatching(g, colour, weight = 1.4, alpha = 1) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 6;
  const pen = tile.getContext("2d");
  pen.strokeStyle = colour;
  pen.lineWidth = weight;
  pen.globalAlpha = alpha;
  for (const shift of [-6, 0, 6]) {
    pen.moveTo(shift - 1, 7);
    pen.lineTo(shift + 7, -1);
  }
  pen.stroke();
  return g.createPattern(tile, "repeat");
}
