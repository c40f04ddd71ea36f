// The calls of a component: Streamlit makes one for each message.
//
// While the component's script is still being fetched, browsers run what has been called in any order. A call that was
// overtaken by a newer one is cleaned up after as soon as it has returned; the last, when the component is taken down.
const drawn = new WeakMap(); // by the component's parent: the call that drew what stands there

// Draw what a call brings unless it has been overtaken, and give back its clean-up.
export function inTurn(parent, draw, takeDown = () => {}) {
  const call = { isOver: false };
  setTimeout(() => {
    if (call.isOver) return;
    drawn.set(parent, call);
    draw();
  });
  return () => {
    call.isOver = true;
    if (drawn.get(parent) === call) takeDown();
  };
}

// The same for a picture: mounted with its first call, emptied when it is taken down.
export function showIn(views, mount, show, component) {
  const parent = component.parentElement;
  const draw = () => {
    if (!views.has(parent)) views.set(parent, mount(parent));
    show(views.get(parent), component);
  };
  return inTurn(parent, draw, () => {
    const view = views.get(parent);
    view.stop();
    views.delete(parent);
    view.root.replaceChildren();
  });
}
