// The buttons beside a panel's title, as markup; pages/frame/heading.py writes the same. The stage answers them.

export function headingTools(panel) {
  if (!panel) return '<span class="tools"></span>'; // a picture of a lesson: the lesson says what it shows
  return `<span class="tools"><button type="button" class="explains" data-panel="${panel}" aria-expanded="false"` +
    ` aria-label="What this panel shows">i</button><button type="button" class="fills" data-panel="${panel}"` +
    ` aria-label="Fill the window" title="Fill the window (F)"></button><button type="button" class="takes"` +
    ` data-panel="${panel}" aria-haspopup="menu" aria-expanded="false" aria-label="Take away"` +
    ` title="Take away (PNG, SVG, CSV)"></button></span>`;
}
