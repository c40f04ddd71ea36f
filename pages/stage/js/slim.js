// Above a lens page the stage stays in sight while the page is scrolled, slim: the strip, with the transport's buttons
// in its line. The rest goes under Streamlit's bar, and the stage keeps its height, so nothing on the page moves.

const SLIM_GAP = 6; // pixels between the bar and the strip
const HEADER = "[data-testid=stHeader]", MAIN = "[data-testid=stMain]", CONTENT = "[data-testid=stMainBlockContainer]";

// The part of the page that holds the stage and has all the rest of the page beside it.
function holderOf(stage) {
  let node = stage.parent.getRootNode().host ?? stage.parent;
  while (node && !node.parentElement?.parentElement?.matches(CONTENT)) node = node.parentElement;
  return node;
}

function wireSlim(stage) {
  if (stage.view !== "strip") return;
  stage.onScroll = () => slim(stage);
  document.addEventListener("scroll", stage.onScroll, { capture: true, passive: true });
}

// Where the stage stops when the page is scrolled; measured anew whenever its size may have changed.
function fitSlim(stage) {
  const { root, view, parts } = stage, holder = view === "strip" && holderOf(stage);
  if (!holder) return;
  root.classList.remove("slim");
  root.style.setProperty("--top", `${parts.top.offsetHeight}px`);
  const strip = root.querySelector(".strip"), bar = document.querySelector(HEADER)?.offsetHeight ?? 0;
  stage.stop = bar + SLIM_GAP - strip.offsetTop;
  Object.assign(holder.style, { position: "sticky", top: `${stage.stop}px`, zIndex: "100" });
  const room = `${bar + 2 * SLIM_GAP + strip.offsetHeight}px`;
  const scroller = holder.closest(MAIN);
  if (scroller) scroller.style.scrollPaddingTop = room; // what takes the focus is not hidden by the strip
  slim(stage);
}

function slim({ root, stop, parts }) {
  const isSlim = root.getBoundingClientRect().top <= stop + 0.5;
  if (isSlim === root.classList.contains("slim")) return;
  root.classList.toggle("slim", isSlim);
  keepInView(parts.tokens, parts.mark); // the line has become shorter, or longer
  fitUnfold(parts);
}

function unwireSlim(stage) {
  if (!stage.onScroll) return;
  document.removeEventListener("scroll", stage.onScroll, { capture: true });
}
