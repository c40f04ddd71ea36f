// The stage that is on the page now, and the one animation frame in which it is painted anew.

export let stageNow = null;
let asked = 0;
let paintStage = () => {};

export function setStageNow(stage) {
  stageNow = stage;
}

// What paints the stage whole.
export function onPaint(paint) {
  paintStage = paint;
}

export function requestPaint() {
  if (!asked) asked = requestAnimationFrame(paintNow);
}

// Without waiting for the frame that was asked for.
export function paintNow() {
  cancelAnimationFrame(asked);
  asked = 0;
  paintStage();
}
