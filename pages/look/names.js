// How a part of the model is named: the rules of names.py; a test compares the two.

export function layerName(layer) {
  return `L${layer}`;
}

export function headName(layer, head) {
  return `${layerName(layer)}·H${head}`;
}
