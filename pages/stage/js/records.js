// Bytes to records: a message is a header and packed steps; a packed step is JSON and typed arrays (see pack.py).

const ARRAY_TYPES = { u2: Uint16Array, f4: Float32Array };
const utf8 = new TextDecoder();

function readJson(bytes, at) {
  const length = new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0, true);
  return [JSON.parse(utf8.decode(bytes.subarray(at + 4, at + 4 + length))), at + 4 + length];
}

function readRecord(bytes) {
  const own = bytes.slice(); // a copy of its own, aligned, so that the message can be let go
  const [record, body] = readJson(own, 0);
  for (const [name, { type, at, shape }] of Object.entries(record.arrays)) {
    const count = shape.reduce((product, size) => product * size, 1);
    record[name] = new ARRAY_TYPES[type](own.buffer, body + at, count);
    record[name].shape = shape;
  }
  return record;
}

export function readMessage(bytes) {
  const [header, end] = readJson(bytes, 0);
  const records = new Map();
  let at = end;
  for (const [stamp, length] of header.records) {
    records.set(stamp, readRecord(bytes.subarray(at, at + length)));
    at += length;
  }
  return { header, records };
}
