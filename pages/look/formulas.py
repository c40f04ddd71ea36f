"""A formula in LaTeX as one line of text, for where no formula is set: x[j] is a component, Σ_i a sum over i."""

import re

# In this order: what stands within other things first.
REPLACED = (
    (r"\\(?:text|mathrm)\{([^{}]*)\}", r"\1"),
    (r"\\(?:textstyle|big)", ""),
    (r"\^\{(pre|mid|post)\}", r"_\1"),
    (r"\\tfrac\{([^{}]*)\}\{([^{}]*)\}", r"\1/\2"),
    (r"(?<=\\sum)_\{([^{}]*)\}", r"_(\1)"),
    (r"_\{([^{}]*)\}", r"[\1]"),
    (r"(?<!sum)(?<!ln)_(\w)(?!\w)", r"[\1]"),
    (r"\^\{([^{}]*)\}", r"^(\1)"),
    (r"\\overline\{([^{}]*)\}", r"mean(\1)"),
    (r"\\sqrt\{([^{}]*)\}", r"√(\1)"),
    (r"\\bar x", "x̄"),
    (r"\\sum", "Σ"),
    (r"\\cdot", "·"),
    (r"\\odot", "⊙"),
    (r"\\epsilon", "ε"),
    (r"\\lVert ?| ?\\rVert", "‖"),
    (r"\\(?:quad|,)", " "),
    (r"(?<=[\w)\]]) ?- ?", " − "),
    (r"\s+", " "),
)


def plain_formula(latex: str) -> str:
    """The formula as text; it holds the few commands that the formulas of this project use, and others as they are."""
    for pattern, plain in REPLACED:
        latex = re.sub(pattern, plain, latex)
    return latex.strip()
