"""What a visitor does with branches: a refusal is one sentence, and leaves the run on the stage as it is."""

from typing import TYPE_CHECKING, Protocol

from gpt2.errors import GPT2Error
from gpt2.model.sampling import Sampling
from gpt2.text.one_token import one_token
from pages.server.job import ModelJob
from pages.stage import actions

from .branches import Branches
from .controls import Controls
from .link import Link
from .measurement import NOT_LOADED
from .player import Player
from .states import Branch

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine

GONE = "This branch was let go; it can be made anew."
KEPT = "This is {}. {} is kept as it was, on the page Branches."


class Visit(Protocol):
    """What branches need of their visit."""

    player: Player
    branches: Branches
    link: Link
    sampling: Sampling
    max_new_tokens: int
    speed: float
    ignore_eos: bool
    cursor: int

    @property
    def model_of_run(self) -> ModelJob | None:
        """The model that made the run on the stage, if it is loaded."""

    @property
    def most_new_tokens(self) -> int:
        """How many tokens one press of Run or Play may generate."""


def leaves(player: Player, step: int, sampling: Sampling) -> bool:
    """Whether going on from a step with these settings leaves tokens that the run on the stage has already."""
    steps, recipe = player.trace.steps, player.recipe
    if recipe is not None and recipe.samplings[-1] == sampling:
        return False  # a replay goes on to its end
    rest = steps[max(0, step) :]
    return len(rest) > 1 and any(one.draw is not None and one.draw.sampling != sampling for one in rest)


def branch(visit: Visit, step: int, token: int | None, tokens: int, speed: float) -> Branch:
    """Branch at a step and go on for so many tokens, with the settings of the stage; without a token one is drawn.

    Raises:
        GPT2Error: if it cannot be branched there; the run on the stage is kept.
        SettingsError: if a setting does not fit the model, or the vocabulary has no such token.
    """
    model = visit.model_of_run
    controls = Controls(visit.sampling, min(tokens, visit.most_new_tokens), speed, visit.ignore_eos)
    made = visit.branches.start(model.engine if model else None, step, token, controls)
    visit.cursor = step
    return made


def answer_branch(visit: Visit, action: actions.Branch | actions.ShowBranch) -> None:
    """Branch where a token was pressed on the stage, or put the branch there that has it.

    Raises:
        GPT2Error: see `branch`; or if the branch to show was let go.
    """
    if isinstance(action, actions.Branch):
        branch_from_stage(visit, action.step, action.token, visit.max_new_tokens, visit.speed)
        return
    shown = next((one for one in visit.branches.all if one.number == action.number), None)
    if shown is None:
        raise GPT2Error(GONE)
    before = visit.branches.current or Branch(0)
    show_branch(visit, shown, action.step)
    if shown is not before:
        visit.player.notice = KEPT.format(shown.title_inside, before.title)


def branch_from_stage(visit: Visit, step: int, token: int | None, tokens: int, speed: float) -> None:
    """The same from the stage, which then says where the run before is; see `branch` for the errors."""
    before = visit.branches.current or Branch(0)
    made = branch(visit, step, token, tokens, speed)
    visit.player.notice = KEPT.format(made.title, before.title)


def go_on(visit: Visit, engine: "Engine", step: int, tokens: int, speed: float) -> None:
    """Generate from a step: as a branch if the settings have changed since, else from the end of the run.

    A run under way goes on from its end, which a browser may not have seen yet. See `branch` and `Player.play` for the
    errors.
    """
    if not visit.player.is_running and leaves(visit.player, step, visit.sampling):
        branch_from_stage(visit, step, None, tokens, speed)
    else:
        visit.player.play(engine, visit.sampling, tokens, speed, visit.ignore_eos)


def start_branch(visit: Visit, step: int, token: int, tokens: int) -> None:
    """The same from a page, at the speed of the stage."""
    visit.link.drop()
    visit.player.error = ""
    try:
        branch(visit, step, token, tokens, visit.speed)
    except GPT2Error as error:
        visit.branches.error = str(error)


def start_typed(visit: Visit, step: int, text: str, tokens: int) -> None:
    """The same with a token that was typed, with its blank, or named by its label or its id."""
    model = visit.model_of_run
    try:
        if model is None or model.checkpoint is None:
            raise GPT2Error(NOT_LOADED)
        start_branch(visit, step, one_token(text, model.checkpoint.tokenizer), tokens)
    except GPT2Error as error:
        visit.branches.error = str(error)


def show_branch(visit: Visit, branch: Branch, step: int | None = None) -> None:
    """Put a branch on the stage, so that all pages show it, at a step or else where it parts."""
    visit.branches.show(branch)
    steps = len(visit.player.trace.steps)
    parts = branch.step if branch.parent else steps - 1
    visit.cursor = max(0, min(parts if step is None else step, steps - 1))


def let_go(visit: Visit, branch: Branch) -> None:
    """Drop a branch."""
    try:
        visit.branches.let_go(branch)
        visit.branches.error = ""
    except GPT2Error as error:
        visit.branches.error = str(error)
