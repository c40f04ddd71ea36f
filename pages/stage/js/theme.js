// Colours and type of the two themes. The colours mirror pages/look/palette.py; a test compares them.

const COLOURS = {
  light: {
    attention: "#0072B2", mlp: "#D55E00", token: "#009E73", position: "#E69F00", residual: "#4A5560",
    sampling: "#B5578F", watched: "#56B4E9", paper: "#FBFBF9", panel: "#FFFFFF", line: "#E4E4DE",
    text: "#1B2026", muted: "#6B7480", negative: "#0072B2", positive: "#D55E00",
  },
  dark: {
    attention: "#5AA9E6", mlp: "#FF8A4C", token: "#2FC79B", position: "#F2B632", residual: "#AAB4BF",
    sampling: "#E58CC1", watched: "#8FD0F5", paper: "#0F1216", panel: "#161A20", line: "#272D35",
    text: "#E8EBEE", muted: "#97A1AC", negative: "#5AA9E6", positive: "#FF8A4C",
  },
};
const ERROR = { light: "#B3261E", dark: "#FF9C94" };

const theme = { name: "", ...COLOURS.light, error: ERROR.light, sans: "sans-serif", mono: "monospace" };

function channels(colour) {
  const hex = /^#([0-9a-f]{6})/i.exec(colour.trim());
  if (hex) return [0, 2, 4].map((at) => parseInt(hex[1].slice(at, at + 2), 16));
  const numbers = colour.match(/[\d.]+/g);
  return numbers && numbers.length >= 3 ? numbers.slice(0, 3).map(Number) : [255, 255, 255];
}

// A colour on the way from one to another, in one of 256 steps; each is worked out once.
const mixed = new Map();
function mix(from, to, share) {
  const step = Math.round(share * 255), key = `${from}${to}${step}`;
  let colour = mixed.get(key);
  if (!colour) {
    const a = channels(from), b = channels(to);
    colour = `rgb(${a.map((value, n) => Math.round(value + ((b[n] - value) * step) / 255)).join(",")})`;
    mixed.set(key, colour);
  }
  return colour;
}

// Read which theme is on from the page's own background; true if anything changed.
function readTheme(element) {
  const style = getComputedStyle(element);
  const [r, g, b] = channels(style.getPropertyValue("--st-background-color") || "#ffffff");
  const name = 0.299 * r + 0.587 * g + 0.114 * b < 128 ? "dark" : "light";
  const sans = style.getPropertyValue("--st-font").trim() || "sans-serif";
  const mono = style.getPropertyValue("--st-code-font").trim() || "monospace";
  if (name === theme.name && sans === theme.sans && mono === theme.mono) return false;
  Object.assign(theme, COLOURS[name], { name, error: ERROR[name], sans, mono });
  return true;
}

// The style sheet names colours only through these variables.
function wearTheme(element) {
  for (const [concept, colour] of Object.entries({ ...COLOURS[theme.name], error: theme.error })) {
    element.style.setProperty(`--${concept}`, colour);
  }
  element.style.setProperty("--sans", theme.sans);
  element.style.setProperty("--mono", theme.mono);
  element.style.colorScheme = theme.name;
}
