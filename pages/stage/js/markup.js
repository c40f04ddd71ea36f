// The stage's fixed skeleton. No text of a prompt or a token ever passes through here.

import { headingTools } from "../../look/heading.js";
import { tokenNodes, unmarked } from "../../look/tokens.js";
import { isAlone } from "./store.js";

const KEYS_OF_CELLS = "Arrow keys move from cell to cell.", OPENS = isAlone ? "" : " Enter opens the arithmetic.";
const OFFERS = isAlone ? "" : " Enter offers a branch with a token.";
const icon = (path) => `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${path}"/></svg>`;
export const ICONS = {
  first: icon("M3 3h2v10H3zM13 3v10L6 8z"),
  back: icon("M12 3v10L4 8z"),
  play: icon("M4 2.5v11L13 8z"),
  pause: icon("M4 3h3v10H4zM9 3h3v10H9z"),
  forward: icon("M4 3v10l8-5z"),
  run: icon("M14 3v7H7v3.5L1.5 8.8 7 4v3.5h4.5V3z"),
  unfold: icon("M3 5h10l-5 6z"),
  last: icon("M11 3h2v10h-2zM3 3v10l7-5z"),
  link: icon(
    "M7.2 4.6 9 2.8a3 3 0 0 1 4.2 4.2L11.4 8.8 10.3 7.7 12.1 5.9a1.5 1.5 0 0 0-2-2L8.3 5.7zM8.8 11.4 7 13.2" +
      "A3 3 0 0 1 2.8 9L4.6 7.2 5.7 8.3 3.9 10.1a1.5 1.5 0 0 0 2 2L7.7 10.3zM6 9l3-3 1 1-3 3z",
  ),
};
const button = (name, label, keys) =>
  `<button type="button" class="${name}" aria-label="${label}" title="${label} (${keys})">${ICONS[name]}</button>`;
const field = (name, label, hint, attributes) =>
  `<label><span>${label}</span><input name="${name}" ${attributes} aria-label="${label}" aria-describedby="on-${name}"
    autocomplete="off"><small id="on-${name}" data-hint="${hint}">${hint}</small></label>`;
const head = (name, title, body = "") =>
  `<div class="head"><h2>${title}</h2>${headingTools(`live.${name}`)}${body}</div>`;
const panel = (name, title, body, beside = "") =>
  `<section class="panel ${name}" aria-label="${title}">${head(name, title, beside)}<p class="says"></p>${body}
  </section>`;
const canvas = (name, label, press = "") =>
  `<div class="canvas"><canvas data-panel="${name}" role="application" aria-roledescription="picture"
    aria-label="${label}" aria-description="${KEYS_OF_CELLS}${press} Esc leaves."></canvas>
    <i class="ring" aria-hidden="true" hidden></i></div>`;

export const TOP = `
<div class="top">
  <div class="prompt"><div class="box">
    <textarea rows="1" aria-label="Prompt" aria-describedby="on-draft on-prompt" spellcheck="false" dir="auto"
      autocapitalize="off" autocomplete="off"></textarea>
    <span class="unrun" id="on-draft" hidden>not run yet</span><span class="count" aria-live="off"></span>
  </div></div>
  <div class="transport" role="group" aria-label="Playback">
    ${button("first", "First step", "Home")}${button("back", "One step back", "←")}
    <button type="button" class="play"><span class="sign">${ICONS.play}</span><span class="word">Play</span></button>
    ${button("forward", "One step on", "→")}${button("last", "Last step", "End")}
  </div>
  <button type="button" class="run">Run</button>
  <div class="settings">
    <button type="button" class="help-button" aria-label="Help" aria-haspopup="dialog" title="Help (?)">?</button>
    <button type="button" class="copy-link" aria-label="Copy link">${ICONS.link}</button>
    <button type="button" class="chip" aria-haspopup="dialog" aria-expanded="false"></button>
    <div class="copied" role="status" hidden><span></span><input aria-label="Link" readonly hidden></div>
    <div class="popover" role="dialog" aria-label="Sampling settings and examples" hidden>
      <form class="models" novalidate>
        <label><span>Model</span><select name="model" aria-label="Model" aria-describedby="model-note"></select></label>
        <p class="model-note" id="model-note"></p>
        <label class="other" hidden><span>Which one</span>
          <input name="other_model" aria-label="Another model" autocomplete="off" spellcheck="false"></label>
      </form>
      <form class="fields" novalidate>
        ${field("temperature", "Temperature", "0 takes the likeliest", 'inputmode="decimal"')}
        ${field("top_k", "Top-k", "0 keeps all", 'inputmode="numeric"')}
        ${field("top_p", "Top-p", "1 keeps all", 'inputmode="decimal"')}
        ${field("seed", "Seed", "same seed, same draws", 'inputmode="numeric"')}
        ${field("max_new_tokens", "New tokens", "at most, for each run", 'inputmode="numeric"')}
        <label><span>End of text</span><input type="checkbox" name="stop_at_end">
          <small>ends the run</small></label>
        ${field("speed", "Speed", "tokens a second, 0 flat out", 'inputmode="decimal"')}
      </form>
      <div class="examples" role="group" aria-label="Examples"><h3>Examples</h3></div>
    </div>
  </div>
  <div class="status">
    <div class="lines">
      <div class="facts"></div>
      <div class="coming" aria-valuemin="0" aria-valuemax="100" hidden><b></b> <span></span></div>
      <div class="state"><button type="button" class="unlock" title="Unlock this head (Esc)" hidden></button>
        <button type="button" class="checked" aria-haspopup="dialog" aria-expanded="false" title="What was checked"
        ><small>checked</small> <strong></strong></button>
        <b>recorded run</b><i></i><span></span></div>
    </div>
    <div class="checks" role="dialog" aria-label="What was checked of this run" hidden>
      <dl></dl><button type="button"></button></div>
    <button type="button" class="cancel" hidden>Cancel</button>
  </div>
  <div class="error" id="on-prompt" role="alert"></div>
</div>
<div class="strip"><div class="sheet">
  <div class="line">
    <div class="tokens" id="tokens" role="listbox" aria-label="Tokens" aria-orientation="horizontal"></div>
    <button type="button" class="watching" hidden></button>
    <button type="button" class="unfold" aria-label="Whole text" title="Whole text" aria-expanded="false"
      aria-controls="tokens">${ICONS.unfold}</button>
  </div>
  <input class="scrubber" type="range" min="0" max="0" step="1" value="0" aria-label="Step">
</div></div>`;

export const PANELS = `
<div class="panels">
  ${panel("embedding", "The newest token", `${canvas("embedding", "Embedding vectors", OPENS)}<p class="near"></p>`)}
  ${panel("residual", "Residual stream", `${canvas("residual", "Norms by layer", OPENS)}<p class="note"></p>`)}
  <div class="panel heads">
    <section class="mosaic" aria-label="Every head, this step">
      ${head("mosaic", "Every head, this step")}<p class="says"></p>
      ${canvas("mosaic", "Attention patterns of all heads", " Enter locks a head.")}<p class="note"></p>
    </section>
    <section class="one" aria-label="One head">
      ${
  head(
    "one",
    '<span class="name"></span>',
    `<button type="button" class="unlock"
        title="Unlock this head (Esc)" hidden>locked · Esc</button><label class="follow"><input
        type="checkbox" role="switch">follow the sharpest</label>`,
  )
}
      <p class="says"></p>${canvas("one", "Attention pattern of one head", OPENS)}<p class="note"></p>
    </section>
  </div>
  ${
  panel("lens", "What each layer would say next", canvas("lens", "Logit lens", OPENS), '<small class="note"></small>')
}
  ${panel("bars", "What comes next", `${canvas("bars", "Most likely next tokens", OFFERS)}<p class="note"></p>`)}
  ${panel("draw", "The draw", `${canvas("draw", "Cumulative probability and the draw", OFFERS)}`)}
</div>`;

const TAKEN = `
<div class="taking" role="menu" aria-label="Take away" popover="manual">
  <button type="button" role="menuitem" data-kind="png">Picture <small>PNG</small></button>
  <button type="button" role="menuitem" data-kind="svg">Drawing <small>SVG</small></button>
  <button type="button" role="menuitem" data-kind="csv">Numbers <small>CSV</small></button>
  <p role="alert" hidden></p>
</div>`;
export const FLOATING = `
<div class="tip" role="tooltip" hidden></div>
<div class="explain" role="tooltip" popover="manual"></div>${TAKEN}
<div class="branch-offer" role="group" aria-label="Another token here" hidden>
  <button type="button" class="branch-here"></button><button type="button" class="branch-other"></button><button
    type="button" class="opens">Its arithmetic</button></div>
<div class="aloud" aria-live="polite"></div>
<div class="spot" hidden></div>
<div class="tour" role="dialog" aria-labelledby="tour-title" hidden>
  <header><small class="where"></small><h2 id="tour-title"></h2>
    <button type="button" class="end" aria-label="End the tour" title="End the tour (Esc)">×</button></header>
  <p class="tells"></p><p class="quotes"></p>
  <footer><button type="button" class="back" title="Back (←)">Back</button>
    <button type="button" class="next" title="Next (→)"></button></footer>
</div>
<div class="offer" role="region" aria-label="Tour" hidden>
  <span><b>New here?</b> Ten stops show how a token is made.</span>
  <button type="button" class="take">Take the tour</button>
  <button type="button" class="decline" aria-label="No tour" title="No tour">×</button></div>`;

// Parts of a sentence: every second one is bold.
export function sayInto(element, parts) {
  const key = parts.join("\u0001");
  if (element.dataset.said === key) return;
  element.dataset.said = key;
  element.replaceChildren(
    ...parts.map((text, n) => {
      const bold = document.createElement(n % 2 ? "b" : "span");
      bold.append(...tokenNodes(text));
      return bold;
    }),
  );
  element.title = unmarked(parts.join(""));
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
