// Where a note or a menu stands that floats over the page.

// Below what it belongs to, or above it where there is no room below.
export function place(note, at) {
  const { offsetWidth: width, offsetHeight: height } = note;
  const below = at.bottom + 4, above = at.top - height - 4; // no gap, so that the pointer can go over to it
  note.style.left = `${Math.max(8, Math.min(at.left - 12, innerWidth - width - 8))}px`;
  note.style.top = `${below + height <= innerHeight - 8 || above < 8 ? below : above}px`;
}
