"""Checks of the chapter's exercises: each computes the right answer and compares.

None of them raises: whatever is not the right answer is wrong.
"""

from __future__ import annotations

from functools import cache
from numbers import Real
from typing import Any

import numpy as np

from quire.pipeline.experiments.dynamicity import PIECES, step_with_pieces
from quire.pipeline.schedule import bubble_fraction
from quire.pipeline.schedules.list_scheduling import ListScheduler
from quire.pipeline.schedules.segments import balanced_plan, segmented_program
from quire.pipeline.schedules.static import interleaved, staged_program
from quire.pipeline.search.rankings import RankedSteps, first_rankings
from quire.pipeline.workload.batches import sample_batch
from quire.pipeline.workload.costs import Hardware
from quire.pipeline.workload.modules import model_named


def _number(answer: Any) -> float | None:
    if isinstance(answer, bool | np.bool_) or not isinstance(answer, Real):
        return None
    return float(answer) if np.isfinite(float(answer)) else None


@cache
def _slow_microbatch_bubble() -> float:
    forward = np.ones((8, 8))
    forward[0] = 2.0
    return bubble_fraction(interleaved(staged_program(forward, 2 * forward, 0 * forward, 4)))


def slow_microbatch(answer: Any) -> bool:
    """Check exercise 1: the bubble of the interleaved schedule with one slow microbatch."""
    given = _number(answer)
    return given is not None and abs(given - _slow_microbatch_bubble()) <= 5e-4


@cache
def _best_pieces() -> tuple[int, int]:
    model, slow, fast = (
        model_named("vlm_m"),
        Hardware(half_tokens=2048.0),
        Hardware(half_tokens=0.0),
    )
    return tuple(  # type: ignore[return-value]
        min(PIECES, key=lambda n: step_with_pieces(model, hardware, 8, n))
        for hardware in (slow, fast)
    )


def best_pieces(answer: Any) -> bool:
    """Check exercise 2: the best numbers of pieces at 2,048 and at 0 tokens to half speed.

    The answer is a list or a tuple, in that order; eight ranks are no point of the page's chart.
    """
    if not isinstance(answer, list | tuple):
        return False
    given = [_number(x) for x in answer]
    return given == [float(n) for n in _best_pieces()]


@cache
def _contests() -> tuple[tuple[RankedSteps, float], ...]:
    model = model_named("t2v_l")
    found = []
    for k in range(3):
        batch = sample_batch(model, 8, np.random.default_rng([2504, 14145, k]))
        program = segmented_program(model, batch, balanced_plan(model, 4, (1, 2)), Hardware())
        steps, rankings = first_rankings(ListScheduler(program))
        found.append((steps, min(steps.makespan(ranking) for ranking in rankings)))
    return tuple(found)


def better_ranking(answer: Any) -> bool:
    """Check exercise 3: a function that ranks three new batches at least 3 % better than the rules.

    The rules are first in first out, heaviest first and lightest first, whichever is best.
    """
    if not callable(answer):
        return False
    try:
        for steps, best in _contests():
            ranking = np.asarray(answer(steps))
            groups = np.arange(len(steps.groups))
            if ranking.dtype.kind not in "iu" or not np.array_equal(np.sort(ranking), groups):
                return False
            if not steps.makespan(ranking) <= 0.97 * best:
                return False
    except Exception:  # whatever the reader's function raises, the answer is wrong
        return False
    return True
