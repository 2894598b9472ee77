"""What published corpora of runs say: success of repeated trials, chance, and constant answers."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from quire.checks import integer, real_array


def pass_hat_k(successes: Any, trials: int, k: int) -> float:
    """Return the probability that k trials of a task all succeed: mean C(c, k) / C(n, k).

    Parameters
    ----------
    successes
        Of every task, out of ``trials``.
    trials, k
        Trials per task, and how many must succeed.
    """
    trials = integer("trials", trials)
    k = integer("k", k, 1, trials)
    counts = [
        integer("successes", int(c), 0, trials) for c in real_array("successes", successes, 1)
    ]
    return float(np.mean([comb(c, k) / comb(trials, k) for c in counts]))


def leave_one_out_confidence(
    successes: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Return a forecast for every trial from the task's others, (s + 1/2) / n, and the outcomes."""
    y = real_array("successes", successes, 2, least=0.0)
    n = integer("trials", y.shape[1], 2)
    others = y.sum(axis=1, keepdims=True) - y
    return ((others + 0.5) / n).ravel(), y.ravel()


@dataclass(frozen=True)
class Attribution:
    """Who erred in a failed run, and who spoke in it, message by message."""

    speakers: tuple[str, ...]
    agent: str
    step: int


def chance_of_agent(logs: Sequence[Attribution]) -> float:
    """Return the expected accuracy of naming one of the speakers at random."""
    return float(np.mean([(log.agent in log.speakers) / len(set(log.speakers)) for log in logs]))


def chance_of_step(logs: Sequence[Attribution]) -> float:
    """Return the expected accuracy of naming one of the messages at random."""
    return float(np.mean([1 / len(log.speakers) for log in logs]))


def most_frequent_speaker(logs: Sequence[Attribution]) -> float:
    """Return the accuracy of naming who speaks most; of equals, who spoke first."""
    return float(np.mean([Counter(log.speakers).most_common(1)[0][0] == log.agent for log in logs]))


@dataclass(frozen=True)
class Constant:
    """The best answer that never looks: a component and a reason, and how many rows it meets."""

    component: str
    reason: str
    right: int
    rows: int


_MOMENT = re.compile(r"\d{4}-\d\d-\d\d")


def best_constant(points: Sequence[Sequence[str]]) -> Constant:
    """Return the pair of words that satisfies most rows whole; a row with a time is never met.

    Parameters
    ----------
    points
        Per row: what an answer is scored on. Chosen on the rows it is judged on: an upper bound.
    """
    integer("rows", len(points))
    wanted = Counter(
        frozenset(row)
        for row in points
        if row and len(set(row)) <= 2 and not any(_MOMENT.match(point) for point in row)
    )
    words = sorted({word for row in wanted for word in row})
    best = ("", "", 0)
    pairs = [(word, "") for word in words] + list(combinations(words, 2))
    for pair in pairs:
        if _is_reason(pair[0]) and _is_reason(pair[1]):
            continue  # an answer has one component and one reason
        if pair[1] and not _is_reason(pair[0]) and not _is_reason(pair[1]):
            continue
        right = sum(n for row, n in wanted.items() if row <= {*pair})
        if right > best[2]:
            best = (*pair, right)
    first, second, right = best
    reason, component = (first, second) if _is_reason(first) else (second, first)
    return Constant(component, reason, right, len(points))


def _is_reason(word: str) -> bool:
    """Whether a scoring point is a reason: words, where a component is one token with a name."""
    return " " in word
