"""The browser side of the stage: its modules put together into one."""

import hashlib
import json
from pathlib import Path

from pages.look.scripts import bundle, glossary_script, heading_sheet, palettes_script

HERE = Path(__file__).parent
SHEETS = ("layout", "controls", "inspection", "strip", "slim", "panels", "help", "take", "tour", "branch", "touch")

# Streamlit sends a component's own script with every message, so the stage's is only this: wait for the code, pass
# on what came. Calls overtake each other, and the clean-up of an overtaken call runs while the stage still stands:
# only what is no longer in the page is taken down.
MOUNT = """
export default async function (component) {
  const { parentElement } = component;
  const shared = (globalThis.gpt2Stage ??= { waiting: [] });
  if (!shared.show) await new Promise((resolve) => shared.waiting.push(resolve));
  shared.show(component);
  return () => setTimeout(() => { if (!parentElement.isConnected) shared.leave(parentElement); });
}
"""


def joined() -> str:
    """The module that puts the stage's code on `globalThis`, once for each version of it."""
    scripts = "\n".join([palettes_script(), glossary_script(), bundle(HERE / "js" / "stage.js")])
    sheets = ((HERE / "css" / f"{name}.css").read_text(encoding="utf-8") for name in SHEETS)
    css = "\n".join([*sheets, heading_sheet()])
    version = hashlib.sha256((scripts + css).encode()).hexdigest()[:12]
    constants = f"const VERSION = {json.dumps(version)};\nconst STYLES = {json.dumps(css)};"
    return f"{constants}\n{scripts}\nexport default () => {{}};\n"
