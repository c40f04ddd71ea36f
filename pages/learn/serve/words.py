"""The words of lesson 13: what happens to a request, and the sentences that quote what came."""

from gpt2.learn.question import Question
from pages.look.numbers import fixed

from .answers import AT_ONCE, PAGE, Answer, Answers

QUESTION = "How does one model answer many at once?"
TEXT = f"""
A **server** holds the model once and answers whoever sends a prompt over HTTP. This is what happens to a request:

1. **Queue.** It waits until the pass under way is over. The server takes up to 16 requests at a time.
2. **Prefill.** One pass reads its whole prompt and leaves keys and values in the cache, as a run of this app does.
3. **Batch.** From then on its newest token goes through the model with those of all other requests. A pass reads every
   weight once, however many tokens go along: that is why eight requests cost little more than one.
4. **Pages.** Every request has a past of its own, so attention alone must tell requests apart. Keys and values lie in
   pages of {PAGE} positions. A request takes a free page when its last one is full, and gives all back at its end.
5. **Stream.** Each token leaves as soon as it is drawn, as an event of its own, while the next pass runs.
"""
PAGES = rf"\text{{pages}} = \lceil \text{{positions}} / {PAGE} \rceil"
BYTES = (
    rf"\text{{page bytes}} = \underbrace{{2}}_{{K,\,V}} \, n_{{layer}} \, n_{{embd}} \cdot "
    rf"\underbrace{{4}}_{{float32}} \cdot {PAGE}"
)
COMPUTED = (
    f"Pages are computed from the tokens of each request and {PAGE} positions a page: the server does not tell them, "
    "and may let requests that begin alike share a full page. Server, app and browser share this machine's cores, so "
    "the rates depend on all that runs on it."
)
START = (
    "pip install -r gpt2/serving/requirements.txt\n"
    "python -m gpt2 serve                                            # in one terminal; it says when it is ready\n"
    "GPT2_SERVER=http://127.0.0.1:8000 streamlit run app.py          # in another one"
)
QUESTIONS = (
    Question(
        "pages",
        "A request has 300 positions in the cache. How many pages does it own?",
        ("2", "3", "300"),
        "3",
        f"3: two pages hold {2 * PAGE} positions, and the other {300 - 2 * PAGE} begin a third.",
        f"At most {PAGE - 1} positions of a request stay empty, however long its text may become.",
    ),
    Question(
        "passes",
        f"{AT_ONCE} requests are under way. How many passes give each of them its next token?",
        ("1", f"{AT_ONCE}", f"{AT_ONCE * AT_ONCE}"),
        "1",
        "1: the newest tokens stand one behind the other in one row, and all go through the model together.",
        "Only attention looks where each request begins. Every other line works on one token at a time anyway.",
    ),
)


def megabytes(nbytes: float) -> str:
    """Bytes as megabytes."""
    return f"{fixed(nbytes / 1e6, 1)} MB"


def answer_sentence(answer: Answer) -> str:
    """How fast one answer came."""
    if not answer.tokens:
        return "nothing yet"
    told = f"{answer.tokens} tokens, {answer.per_second:.0f} a second"
    return told if answer.first_ms is None else f"{told}, first after {answer.first_ms:.0f} ms"


def rates_sentence(answers: Answers) -> str:
    """Tokens a second, alone and at once."""
    if not answers.alone.is_over or not all(one.is_over for one in answers.among) or not answers.alone.per_second:
        return "Tokens a second are compared once all answers are whole."
    alone, together = answers.alone.per_second, answers.among_per_second
    return (
        f"{alone:.0f} tokens a second alone, {together:.0f} with {len(answers.among)} at once: "
        f"{fixed(together / alone, 1)} times as many. "
        f"The engine of this app wrote {answers.own.per_second:.0f} a second."
    )


def pages_sentence(answers: Answers) -> str:
    """How many pages the requests at once own, and their bytes."""
    pages = sum(answers.pages(one) for one in answers.among)
    each = f"{2 * answers.n_layer} · {answers.n_embd} · 4 · {PAGE} bytes = {megabytes(answers.page_bytes)}"
    if not pages:
        return f"A page of {answers.model} takes {each}."
    end = "owned" if all(one.is_over for one in answers.among) else "own"
    whole = megabytes(pages * answers.page_bytes)
    return f"The {len(answers.among)} requests {end} {pages} pages of {each}: {whole} in all."


def equal_sentence(answers: Answers) -> str:
    """Whether the server's texts are the engine's."""
    if not answers.is_greedy:
        return "MAX Serve draws in its own way, so the server's texts are others than the engine's, one for each seed."
    if not answers.own.is_over or not answers.alone.is_over:
        return "The texts are compared once both are whole."
    whole = [one for one in answers.among if one.is_over]
    equal = sum(one.text == answers.own.text for one in whole)
    few = f"So are {equal} of the {len(whole)} at once."
    among = f"So are all {equal} at once." if equal == len(answers.among) else few if whole else ""
    if answers.alone.text == answers.own.text:
        return f"The server's text is the engine's, letter by letter. {among}".rstrip()
    at = parting(answers.own.text, answers.alone.text)
    ours, theirs = (text[at : at + 20] or "nothing" for text in (answers.own.text, answers.alone.text))
    return f"The texts part after {at} letters: the engine goes on with “{ours}”, the server with “{theirs}”."


def parting(first: str, second: str) -> int:
    """How many letters two texts have in common at their beginning."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(first), len(second)))
