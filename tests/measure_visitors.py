"""Twenty visitors at once on the bundled model, each with ten runs in a row: the wait for a token, and the memory."""

import os
import threading
import time
from typing import Any

import psutil

import gpt2
from gpt2.model.sampling import Sampling
from pages.server.traces import TRACES
from pages.visit.examples import recorded_run
from pages.visit.player import Player

VISITORS, RUNS, TOKENS = 20, 10, 40
TALE = "Once upon a time there was a little girl who lived with her mother in a small house near the wood. "


def measure_visitors() -> dict[str, Any]:
    """Seconds to the first token and between tokens, and MB resident before, at most and at the end.

    Every fourth prompt is some 200 tokens long, the others about ten; all runs go as fast as they can.
    """
    engine, process = gpt2.load("bundled"), psutil.Process(os.getpid())
    first: list[float] = []
    rates: list[float] = []
    errors: list[str] = []

    def visit(number: int) -> None:
        player = Player(recorded_run("once"), "")
        for turn in range(RUNS):
            prompt = f"Visitor {number} says: " + TALE * (9 if (number + turn) % 4 == 0 else 0) + f"{turn} times"
            since = time.monotonic()
            player.new(engine, prompt, Sampling(0.8, 0, 0.95, number), TOKENS, 0)
            while not player.trace.steps and player.is_running:
                time.sleep(0.002)
            first.append(time.monotonic() - since)
            while player.is_running:
                player.touch()  # as its stage does with every message
                time.sleep(0.01)
            rates.append((time.monotonic() - since) / TOKENS)
            errors.extend(filter(None, [player.error, player.notice]))

    resident = [process.memory_info().rss]
    held = [0]
    visits = [threading.Thread(target=visit, args=(number,)) for number in range(VISITORS)]
    since = time.monotonic()
    for thread in visits:
        thread.start()
    while any(thread.is_alive() for thread in visits):
        resident.append(process.memory_info().rss)
        held.append(TRACES.nbytes)
        time.sleep(0.1)
    resident.append(process.memory_info().rss)
    halfway = resident[len(resident) // 2 :]
    return {
        "visitors": VISITORS,
        "runs": len(first),
        "tokens_per_run": TOKENS,
        "tokens_per_s_of_all": round(len(first) * TOKENS / (time.monotonic() - since), 1),
        "first_token_s_p50_p95_max": quantiles(first),
        "per_token_s_p50_p95_max": quantiles(rates),
        "resident_mb_before_most_end": [round(n / 1e6) for n in (resident[0], max(resident), resident[-1])],
        "resident_mb_most_in_each_half": [round(max(half) / 1e6) for half in (resident[: len(resident) // 2], halfway)],
        "traces_mb_most": round(max(held) / 1e6),
        "errors": errors,
    }


def quantiles(values: list[float]) -> list[float]:
    """The median, the 95th percentile and the largest."""
    ordered = sorted(values)
    return [round(ordered[min(len(ordered) - 1, int(len(ordered) * q))], 3) for q in (0.5, 0.95, 1.0)]
