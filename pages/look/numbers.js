// How a number is written: the rules of numbers.py, where they are explained; a test compares the two.

export function fixed(value, digits) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value < 0 ? "−∞" : "∞";
  const size = Math.abs(value), scaled = size * 10 ** digits;
  // An exact half goes to the even digit, as in Python; `toFixed` would round it up.
  const isHalf = scaled % 1 === 0.5 && (size * 2 ** (digits + 1)) % 1 === 0;
  const text = (isHalf ? (2 * Math.round(scaled / 2)) / 10 ** digits : size).toFixed(digits);
  return value < 0 && /[1-9]/.test(text) ? `−${text}` : text;
}

export function number(value) {
  const size = Math.abs(value);
  return fixed(value, size >= 100 ? 1 : size >= 10 ? 2 : 3);
}

export function signed(value) {
  const text = number(value);
  return value > 0 && /[1-9∞]/.test(text) ? `+${text}` : text;
}

export function percent(share, digits = 1) {
  const hundredths = 100 * Math.max(share, 0);
  if (hundredths > 0 && hundredths < 0.01) return "<0.01\u202f%";
  return `${fixed(hundredths, hundredths > 0 && hundredths < 0.1 ? 2 : digits)}\u202f%`;
}

export function wholePercent(share) {
  const hundredths = 100 * Math.max(share, 0);
  return hundredths > 0 && hundredths <= 0.5 ? "<1\u202f%" : `${fixed(hundredths, 0)}\u202f%`;
}

const ENDS = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10];
export const FEW_ENDS = [1, 2, 5, 10];

export function roundAbove(value, steps = ENDS) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-9)));
  return steps.map((step) => step * power).find((end) => end >= value * 0.9999) ?? 10 * power;
}

export function bits(value) {
  return `${fixed(value, 2)}\u00a0bits`;
}

export function milliseconds(ms) {
  if (ms >= 1000) return `${fixed(ms / 1000, 2)}\u00a0s`;
  return `${fixed(ms, ms >= 99.5 ? 0 : ms >= 1 ? 1 : 2)}\u00a0ms`;
}
