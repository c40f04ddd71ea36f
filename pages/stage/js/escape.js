// What Esc lets go, on the stage and on the page around it.

import { closeOffer } from "./branch.js";
import { closeChecks } from "./checks.js";
import { hideExplained } from "./explain.js";
import { unfill } from "./fill.js";
import { closeHelp } from "./help.js";
import { unlockHead } from "./lock.js";
import { closeNumber } from "./number.js";
import { discardTwice } from "./prompt.js";
import { closePopover } from "./settings.js";
import { closeTaking } from "./take.js";
import { endTour } from "./tour.js";
import { foldStrip } from "./unfold.js";
import { unwatch } from "./watched.js";

const LET_GO = "gpt2-let-go"; // pages/matrix/matrix.js and pages/frame/badge.js listen

// What was taken last: an offer, an open dialog, menu or note, the unfolded text, the window that a panel
// fills, a draft (by two presses), the watched position, then a cell or token picked on the page, then the head.
export function letGo() {
  const last = [
    closeOffer,
    closeHelp,
    closeNumber,
    endTour,
    closePopover,
    closeChecks,
    closeTaking,
    hideExplained,
    foldStrip,
    unfill,
    discardTwice,
    unwatch,
  ];
  if (last.some((letsGo) => letsGo())) return;
  if (dispatchEvent(new CustomEvent(LET_GO, { cancelable: true }))) unlockHead();
}
