// The stage: built once in its place, fed by messages, painted whole in one animation frame.

import { isAnotherVisit, keepAddress, paintCopyLink, relink, wireCopyLink } from "./address.js";
import { tendOffer, wireBranchOffer } from "./branch.js";
import { askForChecks, closeChecks, paintChecks, wireChecks } from "./checks.js";
import { tellView } from "./cursor.js";
import { filled, fitFill, tendFill, unfill } from "./fill.js";
import { follow } from "./follow.js";
import { wireHeadings } from "./headings.js";
import { HELP, wireHelp } from "./help.js";
import { giveUpFocus, onKey } from "./keyboard.js";
import { isLeaving, noteDrawn, onBack, onLinkClick, shownPath } from "./leaving.js";
import { paintLock, toggleHead, unlockHead } from "./lock.js";
import { FLOATING, PANELS, TOP } from "./markup.js";
import { paintModels, wireModels } from "./models.js";
import { onPaint, paintNow, requestPaint, setStageNow, stageNow } from "./now.js";
import { NUMBER, paintNumber, wireNumber } from "./number.js";
import { acknowledge, isPending, keepTicking, send } from "./outbox.js";
import { addPanels, paintPanels } from "./panels.js";
import { tell } from "./pointer.js";
import { fitPrompt, judgeAnew, paintPrompt, wirePrompt } from "./prompt.js";
import { answerChoice, keepSentences, letSentencesGo } from "./sentences.js";
import { closePopover, paintSettings, wireSettings } from "./settings.js";
import { isLarge, LARGE_UNIT, wearSize } from "./size.js";
import { fitSlim, unwireSlim, wireSlim } from "./slim.js";
import { isAlone, keepPaint, missingSteps, receive, shared, shownAt, state, stepCount } from "./store.js";
import { paintStrip, paintTransport, wireStrip } from "./strip.js";
import { wireTaking } from "./take.js";
import { keepTheme, readTheme, theme, wearTheme } from "./theme.js";
import { listenToTaps, stopListeningToTaps } from "./touch.js";
import { paintTour, unwireTour, wireTour } from "./tour.js";
import { fitUnfold } from "./unfold.js";
import { say, sayStep } from "./voice.js";

const CHARTS_ROOM = 900; // pixels: charts that need more room have another form below this
const stages = new WeakMap();

const ELEMENTS = {
  top: ".top",
  box: ".box",
  text: "textarea",
  unrun: ".unrun",
  count: ".count",
  error: ".error",
  first: ".first",
  back: ".back",
  play: ".play",
  sign: ".sign",
  word: ".word",
  forward: ".forward",
  last: ".last",
  run: ".run",
  chip: ".chip",
  popover: ".popover",
  fields: ".fields",
  examples: ".examples",
  status: ".status",
  facts: ".facts",
  coming: ".coming",
  cancel: ".cancel",
  models: ".models",
  other: ".other",
  modelNote: ".model-note",
  badge: ".state b",
  statusText: ".state span",
  checked: ".checked",
  checks: ".checks",
  tokens: ".tokens",
  scrubber: ".scrubber",
  watching: ".watching",
  unfold: ".unfold",
  number: ".number",
  branchOffer: ".branch-offer",
  branchHere: ".branch-here",
  branchOther: ".branch-other",
  branchOpens: ".branch-offer .opens",
  unlock: ".state .unlock",
  copyLink: ".copy-link",
  copied: ".copied",
  copiedText: ".copied span",
  copiedLink: ".copied input",
  help: ".help",
  helpButton: ".help-button",
  size: ".size",
};

function build(parent, view) {
  const sheet = document.createElement("style");
  sheet.textContent = STYLES;
  const root = document.createElement("div");
  root.className = `stage ${view}${isAlone ? " alone" : ""}`;
  root.innerHTML = `${TOP}${view === "live" ? PANELS : ""}${FLOATING}${HELP}${NUMBER}`;
  /** @type {any} */
  const parts = { root: parent.getRootNode() };
  for (const [name, selector] of Object.entries(ELEMENTS)) parts[name] = root.querySelector(selector);
  parent.append(sheet, root);
  const [tip, aloud] = [root.querySelector(".tip"), root.querySelector(".aloud")];
  const stage = { parent, sheet, root, parts, view, surfaces: [], told: null, tip, aloud, isNarrow: false };
  stage.path = shownPath();
  stage.explain = root.querySelector(".explain");
  wirePrompt(parts);
  wireSettings(parts);
  wireChecks(parts);
  wireNumber(parts);
  wireModels(parts);
  wireStrip(stage);
  wireSlim(stage);
  wireCopyLink(parts);
  wireHelp(parts);
  wireHeadings(true);
  wireTaking(stage);
  parts.unlock.addEventListener("click", unlockHead);
  parts.text.readOnly = parts.chip.disabled = isAlone;
  if (view === "live") addPanels(stage);
  if (view === "live") wireTour(stage);
  wireBranchOffer(stage);
  root.addEventListener("keydown", onKey);
  root.addEventListener("pointerdown", (event) => {
    const inside = event.composedPath().some((node) => node === parts.popover || node === parts.chip);
    if (!inside && !parts.popover.hidden) closePopover();
    if (!event.composedPath().some((node) => node === parts.checks || node === parts.checked)) closeChecks();
  });
  stage.observer = new ResizeObserver(() => fit(stage));
  stage.observer.observe(root);
  stage.onResize = () => fit(stage);
  addEventListener("resize", stage.onResize);
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", onLinkClick, true); // before Streamlit asks for the page
  addEventListener("popstate", onBack);
  document.addEventListener("click", giveUpFocus, true);
  listenToTaps();
  document.fonts.ready.then(() => {
    fit(stage);
    requestPaint();
  }); // the letters have other widths
  state.mounts += 1;
  return stage;
}

// The live stage fills what the window has below Streamlit's bar; letters grow with it.
function fit(stage) {
  const { root, view } = stage;
  if (!root.isConnected) return leave(stage.parent);
  const below = root.getBoundingClientRect().top + document.documentElement.scrollTop;
  const wide = root.clientWidth, stacked = wide < 800;
  const tall = Math.max(stacked ? 0 : 560, innerHeight - Math.max(0, below));
  wearSize(stage);
  fitFill();
  letSentencesGo();
  const scale = Math.min(1.7, Math.max(stacked ? 1 : 0.87, Math.min(innerWidth / 1280, innerHeight / 800)));
  root.classList.toggle("stacked", stacked);
  for (const surface of stage.surfaces) surface.isNarrow = stacked;
  fitPrompt(stage.parts);
  root.classList.toggle("bare", root.getBoundingClientRect().left < 8); // the page leaves no margin: make one
  root.style.setProperty("--unit", `${(isLarge() ? Math.max(LARGE_UNIT, 13 * scale) : 13 * scale).toFixed(2)}px`);
  fitUnfold(stage.parts);
  root.style.setProperty("--tall", view === "live" && !stacked && !isLarge() ? `${Math.floor(tall)}px` : "auto");
  fitSlim(stage);
  if (stage.isNarrow !== wide < CHARTS_ROOM) {
    stage.isNarrow = !stage.isNarrow;
    if (stage === stageNow) tellView(); // Python draws other charts
  }
  requestPaint();
}

// A stage that wears no theme has letters of another size than it is measured with.
function dress(stage) {
  const before = theme.name;
  if (readTheme(stage.root) || !stage.isDressed) {
    wearTheme(stage.root);
    stage.isDressed = true;
  }
  if (before && theme.name !== before) {
    keepTheme();
    send("theme"); // Python has drawn the charts and the logo
  }
}

// Everything that shows one step changes here, at once.
function paint() {
  const stage = stageNow;
  if (!stage || !state.header) return;
  if (!stage.root.isConnected) return leave(stage.parent);
  keepSentences(stage);
  dress(stage);
  const { parts, root } = stage;
  tendFill();
  tendOffer();
  const record = shownAt(state.cursor);
  const isNew = record && record !== stage.record, since = performance.now();
  if (record) Object.assign(stage, { record, run: state.run });
  root.classList.toggle("empty", stage.run !== state.run); // no number of one run under the name of another
  paintPrompt(parts);
  paintSettings(parts);
  paintChecks(parts);
  paintNumber(parts);
  paintModels(parts, stage);
  paintStrip(stage, record);
  paintTransport(parts);
  paintCopyLink(parts);
  keepAddress();
  paintLock(parts, stage.view);
  if (record && stage.view === "live") paintPanels(stage, record); // until it comes they stay as they are
  paintTour(stage);
  if (isNew && stage.view === "live") keepPaint(performance.now() - since);
  state.painted += 1;
  Object.assign(root.dataset, {
    step: state.cursor,
    steps: stepCount(),
    run: state.run,
    painted: state.painted,
    mounts: state.mounts,
    mode: state.playback.kind,
    known: stepCount() - missingSteps().length,
  });
  if (record) sayStep(stage, record);
}

function show(component) {
  const parent = component.parentElement;
  shared.component = component;
  const before = state.header;
  const header = component.data ? receive(component.data) : before;
  if (!header) return;
  if (isAnotherVisit(header)) return location.reload();
  noteDrawn(header.page);
  let stage = stages.get(parent);
  if (stage && stage.view !== header.view) {
    leave(parent);
    stage = null;
  }
  const isNew = !stage;
  if (isNew) {
    stage = build(parent, header.view);
    stages.set(parent, stage);
    if (stageNow && stageNow !== stage) tell(stageNow, null);
    setStageNow(stage);
    dress(stage);
    fit(stage);
    tellView();
  }
  setStageNow(stage);
  answerChoice();
  keepTicking(header);
  acknowledge(header.echo);
  askForChecks(header.checks);
  if (before && before.next_model !== header.next_model) judgeAnew();
  if (!header.has_code && !isPending("code")) send("code");
  follow(header);
  if (isNew) paintNow(); // nobody sees it empty, nor of another height
  else requestPaint();
}

function leave(parent) {
  const stage = stages.get(parent);
  if (!stage) return;
  stages.delete(parent);
  stage.observer.disconnect();
  if (filled && stage.root.contains(filled.box)) unfill();
  unwireSlim(stage);
  unwireTour(stage);
  removeEventListener("resize", stage.onResize);
  if (stageNow === stage) setStageNow(null);
  if (!stageNow) {
    document.removeEventListener("keydown", onKey);
    document.removeEventListener("click", onLinkClick, true);
    removeEventListener("popstate", onBack);
    document.removeEventListener("click", giveUpFocus, true);
    stopListeningToTaps();
    wireHeadings(false);
  }
  stage.sheet.remove();
  stage.root.remove();
}

onPaint(paint);

// A newer version of the code replaces an older one; what was waiting for it goes on.
if (shared.version !== VERSION) {
  const isFilled = () => Boolean(filled);
  Object.assign(shared, { version: VERSION, show, leave, isLeaving, toggleHead, unlockHead, say, isFilled, relink });
  for (const go of shared.waiting.splice(0)) go();
}
