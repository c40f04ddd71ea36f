// Colours and type of the two themes; PALETTES are those of pages/look/palette.py.

import { channels, isDark } from "../../look/canvas.js";

export const theme = { name: "", ...PALETTES.light, sans: "sans-serif", mono: "monospace" };

// A colour on the way from one to another, in one of 256 steps; each is worked out once.
const mixed = new Map();
export function mix(from, to, share) {
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
export function readTheme(element) {
  const style = getComputedStyle(element);
  const name = isDark(channels(style.getPropertyValue("--st-background-color") || "#ffffff")) ? "dark" : "light";
  const sans = style.getPropertyValue("--st-font").trim() || "sans-serif";
  const mono = style.getPropertyValue("--st-code-font").trim() || "monospace";
  if (name === theme.name && sans === theme.sans && mono === theme.mono) return false;
  Object.assign(theme, PALETTES[name], { name, sans, mono });
  return true;
}

// The style sheet names colours only through these variables.
export function wearTheme(element) {
  for (const [concept, colour] of Object.entries(PALETTES[theme.name])) {
    element.style.setProperty(`--${concept}`, colour);
  }
  element.style.setProperty("--sans", theme.sans);
  element.style.setProperty("--mono", theme.mono);
  element.style.colorScheme = theme.name;
}

// Streamlit keeps the chosen theme under the address that the browser was opened at: copy it to the other pages'
// addresses, so that a reload of any of them wears it too. Where Streamlit keeps it elsewhere, nothing is copied.
const OPENED_AT = location.pathname;

export function keepTheme() {
  try {
    const key = Object.keys(localStorage).find((name) => name.startsWith(`stActiveTheme-${OPENED_AT}-v`));
    if (!key) return;
    for (const { origin, pathname, target } of document.links) {
      if (origin !== location.origin || target) continue;
      localStorage.setItem(key.replace(OPENED_AT, () => pathname), localStorage.getItem(key));
    }
  } catch { /* the browser lets no page keep anything */ }
}

addEventListener("pagehide", keepTheme);
