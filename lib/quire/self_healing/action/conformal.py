"""Sets of roots that hold the right one with a promised probability, and when to abstain.

Split conformal prediction (Vovk et al.; Angelopoulos and Bates 2021): the score of a labelled case
is one minus the probability given to its right root. With n calibration cases the set of all roots
whose score is at most the ``ceil((n + 1)(1 - alpha))``-th smallest holds the right root with
probability at least 1 - alpha, **if calibration and new cases are exchangeable**.
"""

from collections.abc import Mapping
from math import ceil, inf
from typing import Any

import numpy as np

from quire import checks
from quire.signatures import checked


def conformal_threshold(scores: Any, alpha: Any) -> float:
    """Return the largest score that a root in the set may have; infinity where n is too small.

    Raises
    ------
    ValueError
        For no scores, NaN, or a level outside (0, 1).
    """
    values = np.sort(checks.real_array("scores", scores, 1))
    alpha = checks.between("alpha", alpha, 0.0, 1.0)
    rank = ceil(round((len(values) + 1) * (1 - alpha), 9))
    return float(values[rank - 1]) if rank <= len(values) else inf


@checked
def prediction_set(probabilities: Mapping[str, float], threshold: float) -> tuple[str, ...]:
    """Return the roots whose score ``1 - p`` is at most the threshold, the most probable first.

    Raises
    ------
    ValueError
        For no root, a probability outside [0, 1], or a threshold that is NaN.
    """
    if not probabilities:
        raise ValueError("probabilities = none: must hold at least one root")
    if np.isnan(threshold):
        raise ValueError("threshold = nan: must be a number, or infinite")
    for name, p in probabilities.items():
        if not 0 <= checks.non_negative(f"probabilities[{name!r}]", p) <= 1 + 1e-9:
            raise ValueError(f"probabilities[{name!r}] = {p!r}: must be at most 1")
    ordered = sorted(probabilities, key=lambda name: (-probabilities[name], name))
    return tuple(name for name in ordered if 1 - probabilities[name] <= threshold + 1e-12)


@checked
def abstains(roots: tuple[str, ...], probabilities: Mapping[str, float], margin: Any = 0.0) -> bool:
    """Return whether to escalate: the set is not a single root, or its lead is below the margin.

    Raises
    ------
    ValueError
        For a negative margin.
    """
    margin = checks.non_negative("margin", margin)
    if len(roots) != 1:
        return True
    first, *rest = sorted(probabilities.values(), reverse=True)
    return bool(rest) and first - rest[0] < margin
