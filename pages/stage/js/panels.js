// The panels of the live stage: each built once on its canvas, all painted with the step that is shown.

import { headName } from "../../look/names.js";
import { wholePercent } from "../../look/numbers.js";
import { spoken } from "../../look/tokens.js";
import { drawBars } from "./bars.js";
import { drawEmbedding, paintNear } from "./embedding.js";
import { filled, FILLED_TYPE } from "./fill.js";
import { drawLens } from "./lens.js";
import { unlockHead } from "./lock.js";
import { sayInto, setText } from "./markup.js";
import { drawMosaic, sayHead, strongest } from "./mosaic.js";
import { requestPaint } from "./now.js";
import { drawOneHead } from "./one_head.js";
import { showTip, wirePointer } from "./pointer.js";
import { drawResidual } from "./residual.js";
import { isSharpest, setFollows, shownHead } from "./rest.js";
import { drawSampleBar } from "./sample_bar.js";
import { isLarge, LEAST_LARGE, LEAST_NARROW, LEAST_TEXT } from "./size.js";
import { isFollowing, state } from "./store.js";
import { Surface } from "./surface.js";
import { sayWatchedShare } from "./watched.js";

const DRAWS = {
  embedding: drawEmbedding,
  residual: drawResidual,
  mosaic: drawMosaic,
  one: drawOneHead,
  lens: drawLens,
  bars: drawBars,
  draw: drawSampleBar,
};

export function addPanels(stage) {
  for (const [name, draw] of Object.entries(DRAWS)) {
    const canvas = stage.root.querySelector(`canvas[data-panel=${name}]`);
    const section = canvas.closest("section");
    const surface = new Surface(canvas, (...drawn) => {
      const note = draw(...drawn);
      const element = section.querySelector(".note");
      if (element) sayInto(element, [note || element.dataset.fixed || ""]);
    });
    const [says, ring] = [".says", ".ring"].map((part) => section.querySelector(part));
    Object.assign(surface, { name, section, says, ring, picture: draw, locks: name === "mosaic" });
    surface.description = section.querySelector("h2").title = canvas.getAttribute("aria-description");
    wirePointer(surface, stage);
    stage.surfaces.push(surface);
    surface.observe(requestPaint);
  }
  stage.root.querySelector(".residual .note").dataset.fixed = "Norms; they do not add up.";
  stage.name = stage.root.querySelector(".one .name");
  stage.unlock = stage.root.querySelector(".one .unlock");
  stage.unlock.addEventListener("click", unlockHead);
  stage.follow = stage.root.querySelector(".one .follow");
  stage.follow.firstElementChild.checked = isFollowing();
  stage.follow.firstElementChild.addEventListener("change", ({ target }) => setFollows(target.checked));
}

export function paintPanels(stage, record) {
  stage.root.style.setProperty("--depths", state.header.n_layer + 1);
  const unit = parseFloat(getComputedStyle(stage.root).getPropertyValue("--unit"));
  const least = isLarge() ? LEAST_LARGE : stage.root.classList.contains("stacked") ? LEAST_NARROW : LEAST_TEXT;
  const shown = shownHead(record), { layer, head, locked } = shown;
  const ofStep = !locked && isSharpest(shown, record); // then the step's own sentence is on this head
  const says = { ...record.says, mosaic: ofStep ? record.says.heads : sayHead(shown, record) };
  const { key, share } = strongest(layer, head, record);
  const most = ["rows ask, columns answer · most on ", spoken(state.header.labels[key]), ` (${wholePercent(share)})`];
  says.one = key === undefined ? record.says.heads : most;
  if (state.watched) says.one = sayWatchedShare(layer, head, record) ?? says.one;
  setText(stage.name, `One head: ${headName(layer, head)}`);
  stage.unlock.hidden = !locked;
  stage.follow.hidden = locked;
  paintNear(stage.root.querySelector(".near"), record);
  for (const surface of stage.surfaces) {
    sayInto(surface.says, says[surface.name]);
    surface.paint(record, surface.section === filled?.box ? unit * FILLED_TYPE : unit, least);
    surface.roving.redraw();
  }
  showTip(stage);
}
