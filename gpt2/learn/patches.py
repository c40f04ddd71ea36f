"""Undoing what a reader's code changed in modules that the verdict is made with, before anything is compared.

A reader who tries something out may leave `np.abs` replaced; that must not make a wrong answer right. Somebody who
wants to deceive the checker still can: it runs on their own machine.
"""

import sys
from types import ModuleType
from typing import Any

PACKAGES = ("builtins", "gpt2", "json", "math", "numpy")


class Modules:
    """The modules of these packages as they are now."""

    def __init__(self) -> None:
        """Note every name in them."""
        self._before: list[tuple[ModuleType, dict[str, Any]]] = [
            (module, dict(vars(module)))
            for name, module in list(sys.modules.items())
            if name.partition(".")[0] in PACKAGES and isinstance(module, ModuleType)
        ]

    def restore(self) -> None:
        """Give each name its value again."""
        for module, names in self._before:
            vars(module).update(names)
