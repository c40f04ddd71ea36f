"""What a visitor does on the Branches page: a refusal is one sentence, and leaves the run on the stage as it is."""

from gpt2.errors import GPT2Error
from gpt2.text.one_token import one_token
from pages.visit.branches import Branch

from .controls import Controls
from .measurement import NOT_LOADED
from .visit import Visit


def start_branch(visit: Visit, step: int, token: int, tokens: int) -> None:
    """Branch at a step with a token and go on for so many tokens, with the settings of the stage."""
    model, tree = visit.model_of_run, visit.branches
    most = min(tokens, visit.most_new_tokens)
    visit.link.drop()
    visit.player.error = ""
    try:
        controls = Controls(visit.sampling, most, visit.speed, visit.ignore_eos)
        tree.start(model.engine if model else None, step, token, controls)
        visit.cursor = step
    except GPT2Error as error:
        tree.error = str(error)


def start_typed(visit: Visit, step: int, text: str, tokens: int) -> None:
    """The same with a token that was typed, with its blank, or named by its label or its id."""
    model = visit.model_of_run
    try:
        if model is None or model.checkpoint is None:
            raise GPT2Error(NOT_LOADED)
        start_branch(visit, step, one_token(text, model.checkpoint.tokenizer), tokens)
    except GPT2Error as error:
        visit.branches.error = str(error)


def show_branch(visit: Visit, branch: Branch) -> None:
    """Put a branch on the stage, so that all pages show it, at the step where it parts."""
    visit.branches.show(branch)
    steps = len(visit.player.trace.steps)
    visit.cursor = max(0, min(branch.step if branch.parent else steps - 1, steps - 1))


def let_go(visit: Visit, branch: Branch) -> None:
    """Drop a branch."""
    try:
        visit.branches.let_go(branch)
        visit.branches.error = ""
    except GPT2Error as error:
        visit.branches.error = str(error)
