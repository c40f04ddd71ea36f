// The offer to branch: a token of what comes next, or of the draw, that was clicked, tapped, or reached and pressed by
// Enter. It stays beside the token until it is taken, or anything else is asked for.

let offer = null; // { run, step, token, canvas, byKey, opens, name }

function wireBranchOffer(stage) {
  const { branchOffer: box, branchHere, branchOpens } = stage.parts;
  branchHere.addEventListener("click", takeOffer);
  branchOpens.addEventListener("click", openOffered);
  stage.root.addEventListener("pointerdown", (event) => { if (!event.composedPath().includes(box)) closeOffer(); });
}

// `lines` are what the tip says of the token; then come the cell on the surface, and the number that it opens, if any.
function offerBranch(surface, token, label, lines, [x, y, width, height], opens) {
  const { root, parts, tip } = stageNow, { branchOffer: box, branchSays, branchHere, branchOpens } = parts;
  if (isPlaying()) pause();
  const byKey = Boolean(surface.roving.cursor), area = surface.canvas.getBoundingClientRect();
  offer = { run: state.run, step: state.cursor, token, canvas: surface.canvas, byKey, opens, name: lines.at(-1) };
  branchOpens.hidden = !opens;
  branchSays.replaceChildren(...lines.slice(0, 2).map(lineOf));
  branchHere.replaceChildren(...tokenNodes(`Branch here with ${label}`));
  box.hidden = false;
  tip.hidden = true;
  const middle = area.left + x + width / 2 - box.offsetWidth / 2;
  placeTip(box, root.getBoundingClientRect(), { x: middle, top: area.top + y - 6, foot: area.top + y + height + 6 });
  if (byKey) branchHere.focus();
}

function lineOf(text) {
  const line = document.createElement("p");
  line.append(...tokenNodes(text));
  return line;
}

// Whether there was one.
function closeOffer() {
  if (!offer) return false;
  const { canvas, byKey } = offer;
  offer = null;
  if (!stageNow) return true;
  stageNow.parts.branchOffer.hidden = true;
  if (byKey) canvas.focus();
  return true;
}

function takeOffer() {
  const { step, token } = offer;
  closeOffer();
  ask("branch", { cursor: step, token }, { kind: "generate", before: state.run });
}

function openOffered() {
  const { opens, name } = offer;
  closeOffer();
  openNumber(opens, name);
}

// An offer is of one step of one run.
function tendOffer() {
  if (offer && (offer.run !== state.run || offer.step !== state.cursor || !offer.canvas.isConnected)) closeOffer();
}
