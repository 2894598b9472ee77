"""The checks of the chapter's exercises: each computes the right answer and compares.

Every check takes whatever a reader wrote and returns whether it is right. None, NaN, a wrong type
or a wrong value is False; nothing raises.
"""

import re
from typing import Any

import numpy as np

from quire.answers import is_near
from quire.self_healing.action.conformal import conformal_threshold
from quire.self_healing.givens import LINES, SCORES
from quire.self_healing.perception.metrics import normalise_template
from quire.self_healing.reasoning.priors import Edge, merge_edges, root_rank


def masks_of_hdfs(answer: Any) -> bool:
    """Whether the answer is a list of (pattern, replacement) that gives the lines their templates.

    Patterns are tried in their order. A replacement that holds a whole template is no mask: none
    may have more than eight characters.
    """
    if not isinstance(answer, list | tuple) or not 1 <= len(answer) <= 10:
        return False
    rules = []
    for rule in answer:
        if not isinstance(rule, list | tuple) or len(rule) != 2:
            return False
        pattern, other = rule
        if not isinstance(pattern, str) or not isinstance(other, str) or len(other) > 8:
            return False
        if len(pattern) > 60:
            return False
        try:
            rules.append((re.compile(pattern), other))
        except (re.error, OverflowError, RecursionError):
            return False
    for line, template in LINES:
        text = line
        try:
            for rule_, other in rules:
                text = rule_.sub(other, text)
        except (re.error, IndexError):
            return False
        if normalise_template(text) != template:
            return False
    return True


def pairs_of_an_incident(answer: Any) -> bool:
    """Whether the answer is (accuracy with, accuracy without) look-up of twins.

    Forty windows come in twins with the same label, four labels equally frequent, and nothing else
    tells labels apart: the nearest window is the twin where it may support, else any other window,
    drawn at random from those that are left.
    """
    if not isinstance(answer, list | tuple | np.ndarray) or len(answer) != 2:
        return False
    with_twin, without = answer
    # without the twin eight of the other 38 windows have the label
    return is_near(with_twin, 1.0, abs_=1e-9) and is_near(without, 8 / 38, abs_=2e-3)


def threshold_of_scores(answer: Any) -> bool:
    """Whether the answer is the conformal threshold of the nine scores at alpha = 0.2."""
    return is_near(answer, conformal_threshold(np.array(SCORES), 0.2), abs_=1e-9)


def least_floor(answer: Any) -> bool:
    """Whether the answer is the least weight at which the root comes first in the small graph.

    Learnt edges into ``alarm``: ``disk`` 0.9, ``switch`` 0.7. A prior says that ``fan`` causes it,
    and weighs what is asked for; ties count against the root. Given with two decimals.
    """
    if not is_near(answer, 0.91, abs_=1e-9):
        return False
    learnt = [Edge("disk", "alarm", 0.9, "W"), Edge("switch", "alarm", 0.7, "W")]

    def rank(weight: float) -> int:
        graph = [*learnt, Edge("fan", "alarm", weight, "prior", "prior")]
        return root_rank(merge_edges(graph), "alarm", "fan")

    return rank(0.91) == 1 and rank(0.90) > 1
