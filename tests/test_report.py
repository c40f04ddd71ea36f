"""Claims about what is said of a token: every number can be computed again from the logits, in plain Python."""

import math

import pytest

from gpt2.reading.report import token_report
from gpt2.trace.trace import Trace


def test_every_number_of_a_report_follows_from_the_logits(trace: Trace) -> None:
    for step in trace.steps:
        told = token_report(step, trace.vocabulary, 12.34567)
        logits = [float(logit) for logit in step.logits]
        highest = max(logits)
        whole = math.fsum(math.exp(logit - highest) for logit in logits)
        probabilities = [math.exp(logit - highest) / whole for logit in logits]
        token = told["id"]
        assert token == step.draw.token
        assert told["text"] == trace.vocabulary.text([token])
        assert told["probability"] == pytest.approx(probabilities[token], rel=1e-9)
        assert told["rank"] == 1 + sum(logit > logits[token] for logit in logits)
        assert told["surprisal_bits"] == pytest.approx(-math.log2(probabilities[token]), rel=1e-9)
        bits = -math.fsum(p * math.log2(p) for p in probabilities if p > 0)
        assert told["entropy_bits"] == pytest.approx(bits, rel=1e-9)
        assert told["u"] == step.draw.u
        assert told["ms"] == 12.346


def test_the_final_probability_is_what_the_draw_saw(trace: Trace) -> None:
    """Temperature 0.8, then the nucleus of 0.95: at least the tempered probability, at most that over 0.95."""
    for step in trace.steps:
        told = token_report(step, trace.vocabulary, 0)
        heated = [math.exp(float(logit - step.logits.max()) / 0.8) for logit in step.logits]
        tempered = heated[told["id"]] / math.fsum(heated)
        assert tempered * (1 - 1e-9) <= told["final_probability"] <= tempered / 0.95 * (1 + 1e-9)
