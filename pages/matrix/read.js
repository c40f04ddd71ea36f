// What every view of a picture needs: the picture as it was sent, and how its rows and columns are named.

import { spoken } from "../look/tokens.js";

export function decode(data) {
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const values = new Float32Array(bytes.slice(4 + length).buffer);
  const isMissing = values.some((value) => !Number.isFinite(value));
  header.hatched = isMissing && !header.is_text ? (values.includes(-Infinity) ? "masked" : "left out") : "";
  return [header, values];
}

export function element(parent, name, className) {
  const made = document.createElement(name);
  made.className = className;
  parent.appendChild(made);
  return made;
}

export function nameOf({ header }, axis, index) {
  const label = (header[`${axis}_names`] || header[`${axis}s`])[index];
  const start = header[`${axis}_start`];
  return start === null ? label : `${spoken(label)} (position ${start + index})`;
}
