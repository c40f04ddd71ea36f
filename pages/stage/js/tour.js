// The tour: ten stops over the live stage, in the order in which the next token is made. It points at the real panels,
// quotes what they say of themselves, and moves the stage as a person would.

import { isPlaying, pause } from "./cursor.js";
import { unfill } from "./fill.js";
import { closeHelp } from "./help.js";
import { lockHead, unlockHead } from "./lock.js";
import { sayInto, setText } from "./markup.js";
import { requestPaint, stageNow } from "./now.js";
import { forward } from "./playback.js";
import { sharpest } from "./rest.js";
import { closePopover } from "./settings.js";
import { isAlone, shownAt, state } from "./store.js";

const TOUR_KEPT = "gpt2-tour"; // where the browser keeps that the tour was offered
const TOUR_GAP = 12; // pixels between what is pointed at and the card
const TOUR_STOPS = [
  {
    at: ".prompt",
    title: "What goes in",
    tells: "GPT-2 does one thing: it reads a text and says what may come next. This is the text." +
      (isAlone ? "" : " Type one of your own and press Run, or go on with this one."),
  },
  {
    at: ".strip",
    title: "The text becomes tokens",
    tells: "The model reads no letters. The text is cut into tokens: words, parts of words, or single bytes, " +
      "each with a number of its own.",
    quotes: countTokens,
  },
  {
    at: "section.embedding",
    title: "Each token is looked up",
    tells: "One table holds a vector for every token, another one for every place in the text. " +
      "Both are added: that is all the first layer knows.",
  },
  {
    at: "section.mosaic",
    title: "Every head looks back",
    tells: "Each small map is one attention head. It decides which earlier tokens are worth reading, " +
      "and fetches something from them.",
  },
  {
    at: "section.one",
    title: "Who looks at whom",
    locks: true,
    tells: "This is one of those heads, now held in place. Each row is a token that looks: " +
      "the stronger the blue of a cell, the more it takes from that column's token.",
  },
  {
    at: "section.residual",
    title: "What each layer adds",
    tells: "What the heads fetched, and what the MLP makes of it, is added to the token's vector. " +
      "Layer by layer the vector turns from what the token is into what comes next.",
  },
  {
    at: "section.lens",
    title: "A guess at every depth",
    tells: "Suppose the model stopped after a layer: this is what it would say next. " +
      "Watch from which layer on the guess stays.",
  },
  {
    at: "section.bars",
    title: "What comes out",
    tells: "After the last layer every token of the vocabulary gets a probability. " +
      "Hatched bars were cut off by top-k or top-p before the draw.",
  },
  {
    at: "section.draw",
    title: "How the dice fall",
    tells: "The tokens that remain lie end to end, as wide as they are likely. " +
      "A random number u falls on one of them: that is the next token.",
  },
  {
    at: ".transport",
    title: "And again",
    moves: !isAlone,
    tells: "The drawn token is added to the text, and everything begins anew. " +
      (isAlone ? "" : "Draw one more and see all panels move, or ") +
      (isAlone ? "Press Play, or go from step to step with the arrow keys." : "press Play."),
  },
];
let tour = null; // { at, hasLocked }, while it is under way

function countTokens() {
  const { labels, prompt_tokens: read } = state.header, drawn = Math.max(0, labels.length - read);
  return ["Here: ", `${read}`, ` token${read === 1 ? "" : "s"} of the prompt, `, `${drawn}`, " drawn after them."];
}

function startTour() {
  const stage = stageNow;
  if (!stage || stage.view !== "live") return;
  stopOffering(stage);
  closeHelp("tour");
  closePopover();
  unfill();
  if (isPlaying()) pause();
  tour = { at: -1, hasLocked: false };
  stage.tour.hidden = stage.spot.hidden = false;
  goToStop(0);
}

// Whether it was under way.
export function endTour() {
  if (!tour) return false;
  letTourGo();
  tour = null;
  if (stageNow?.tour) {
    stageNow.tour.hidden = stageNow.spot.hidden = true;
    stageNow.parts.helpButton.focus({ preventScroll: true });
  }
  return true;
}

// A head that the tour has locked is let go; one that the visitor has locked stays.
function letTourGo() {
  if (tour.hasLocked) unlockHead();
  tour.hasLocked = false;
}

function goToStop(at) {
  const stage = stageNow, stop = TOUR_STOPS[at];
  if (!stop) return at < 0 ? undefined : endTour();
  letTourGo();
  tour.at = at;
  const record = shownAt(state.cursor);
  if (stop.locks && !state.lock && record) {
    const { layer, head } = sharpest(record);
    lockHead(layer, head);
    tour.hasLocked = true;
  }
  const [where, title, tells, , back, next] = tourParts(stage);
  setText(where, `${at + 1} of ${TOUR_STOPS.length}`);
  setText(title, stop.title);
  setText(tells, stop.tells);
  back.disabled = at === 0;
  setText(next, stop.moves ? "Draw one more" : TOUR_STOPS[at + 1] ? "Next" : "Done");
  pointed(stage).scrollIntoView({ block: stage.root.classList.contains("stacked") ? "start" : "nearest" });
  next.focus({ preventScroll: true });
  setText(stage.aloud, `${stop.title}. ${stop.tells}`);
  paintTour(stage);
  requestPaint();
}

function tourParts(stage) {
  return [".where", "h2", ".tells", ".quotes", ".back", ".next"].map((part) => stage.tour.querySelector(part));
}

function pointed(stage) {
  return stage.root.querySelector(TOUR_STOPS[tour.at].at);
}

// What the panel says of the step shown, and where the card and the frame stand. Called with every painted frame.
export function paintTour(stage) {
  if (!tour || !stage.tour) return;
  const stop = TOUR_STOPS[tour.at], quotes = tourParts(stage)[3], area = pointed(stage);
  const said = stop.quotes ? null : area.querySelector(".says");
  if (stop.quotes) sayInto(quotes, stop.quotes());
  else quotes.replaceChildren(...[...(said?.childNodes ?? [])].map((node) => node.cloneNode(true)));
  if (said) delete quotes.dataset.said;
  quotes.hidden = !quotes.textContent;
  const box = area.getBoundingClientRect();
  Object.assign(stage.spot.style, {
    left: `${box.left}px`,
    top: `${box.top}px`,
    width: `${box.width}px`,
    height: `${box.height}px`,
  });
  const { left, top } = besideOf(box, stage);
  Object.assign(stage.tour.style, { left: `${left}px`, top: `${top}px` });
}

// Below, above, right or left of what is pointed at, where the card covers none of it; else in the corner away from it.
function besideOf(box, { tour: card, root }) {
  const { offsetWidth: wide, offsetHeight: tall } = card;
  const right = innerWidth - wide - TOUR_GAP, bottom = innerHeight - tall - TOUR_GAP;
  if (root.classList.contains("stacked")) return { left: TOUR_GAP, top: bottom };
  const within = (value, most) => Math.max(TOUR_GAP, Math.min(value, most));
  const places = [
    { left: within(box.left, right), top: box.bottom + TOUR_GAP },
    { left: within(box.left, right), top: box.top - tall - TOUR_GAP },
    { left: box.right + TOUR_GAP, top: within(box.top, bottom) },
    { left: box.left - wide - TOUR_GAP, top: within(box.top, bottom) },
  ];
  const fits = ({ left, top }) => left >= TOUR_GAP && left <= right && top >= TOUR_GAP && top <= bottom;
  return places.find(fits) ?? { left: box.left + box.width / 2 < innerWidth / 2 ? right : TOUR_GAP, top: bottom };
}

function onTourKey(event) {
  const to = { ArrowRight: tour.at + 1, ArrowLeft: tour.at - 1, Escape: Infinity }[event.key];
  if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  event.stopPropagation(); // the keys are the card's
  if (to === Infinity) endTour();
  else if (to >= 0 && to < TOUR_STOPS.length) goToStop(to);
}

export function wireTour(stage) {
  stage.tour = stage.root.querySelector(".tour");
  stage.spot = stage.root.querySelector(".spot");
  stage.offer = stage.root.querySelector(".offer");
  const [, , , , back, next] = tourParts(stage);
  back.addEventListener("click", () => goToStop(tour.at - 1));
  next.addEventListener("click", () => (TOUR_STOPS[tour.at].moves ? forward() : goToStop(tour.at + 1)));
  stage.tour.querySelector(".end").addEventListener("click", endTour);
  stage.tour.addEventListener("keydown", onTourKey);
  for (const take of stage.root.querySelectorAll(".take")) take.addEventListener("click", startTour);
  stage.offer.querySelector(".decline").addEventListener("click", () => stopOffering(stage));
  stage.onScroll = () => paintTour(stage);
  document.addEventListener("scroll", stage.onScroll, { capture: true, passive: true });
  if (!wasOffered()) offerTour(stage);
}

export function unwireTour(stage) {
  if (!stage.tour) return;
  if (tour) {
    letTourGo();
    tour = null;
  }
  document.removeEventListener("scroll", stage.onScroll, { capture: true });
}

function wasOffered() {
  try {
    return localStorage.getItem(TOUR_KEPT) !== null;
  } catch {
    return true;
  } // it would be offered for ever
}

// The offer goes with the first thing that the visitor does, whatever it is, and does not come back.
function offerTour(stage) {
  stage.offer.hidden = false;
  stage.onFirst = (event) => {
    if (!event.composedPath().includes(stage.offer)) stopOffering(stage);
  };
  for (const name of ["pointerdown", "keydown"]) document.addEventListener(name, stage.onFirst, { capture: true });
}

function stopOffering(stage) {
  try {
    localStorage.setItem(TOUR_KEPT, "offered");
  } catch { /* the browser lets no page keep it */ }
  stage.offer.hidden = true;
  for (const name of ["pointerdown", "keydown"]) document.removeEventListener(name, stage.onFirst, { capture: true });
}
