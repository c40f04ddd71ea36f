// Hover shows the value and its hook's name in one small box; a click does what the panel says it does.

function wirePointer(surface, tip, root) {
  const { canvas } = surface;
  const found = (event) => {
    const area = canvas.getBoundingClientRect();
    return surface.find ? surface.find(event.clientX - area.left, event.clientY - area.top) : null;
  };
  canvas.addEventListener("pointermove", (event) => {
    const what = found(event);
    canvas.style.cursor = what && what.click ? "pointer" : "default";
    surface.hovered = { x: event.clientX, y: event.clientY };
    showTip(tip, root, what, event);
  });
  canvas.addEventListener("pointerleave", () => {
    surface.hovered = null;
    tip.hidden = true;
  });
  canvas.addEventListener("click", (event) => {
    const what = found(event);
    if (what && what.click) what.click();
  });
}

// What lies under a resting pointer changes with the step.
function refreshTip(surface, tip, root) {
  if (!surface.hovered) return;
  const area = surface.canvas.getBoundingClientRect(), { x, y } = surface.hovered;
  showTip(tip, root, surface.find ? surface.find(x - area.left, y - area.top) : null, { clientX: x, clientY: y });
}

function fillTip(tip, lines) {
  tip.hidden = false;
  tip.replaceChildren(
    ...lines.map((text) => {
      const line = document.createElement("div");
      line.append(...tokenNodes(text));
      return line;
    }),
  );
}

// Lines of text; the first is the value, the last the technical name.
function showTip(tip, root, what, { clientX, clientY }) {
  tip.hidden = !what;
  if (!what) return;
  fillTip(tip, what.lines);
  tip.of = "picture";
  const area = root.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = tip;
  const x = Math.min(clientX - area.left + 14, area.width - width - 6);
  const below = clientY - area.top + 18;
  tip.style.left = `${Math.max(6, x)}px`;
  tip.style.top = `${below + height > area.height ? clientY - area.top - height - 10 : below}px`;
}
