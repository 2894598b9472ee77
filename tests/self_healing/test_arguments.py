"""Arguments of other kinds: the same answer where they mean the same, else refused by name."""

from collections.abc import Callable
from math import nan
from typing import Any

import numpy as np
import pytest

from quire.self_healing import (
    cyclicity,
    diagnose,
    discover,
    grouping_accuracy,
    loose_template,
    proof_lines,
    thinned_support,
)

pytestmark = pytest.mark.usefixtures("unchecked_types")

RING = [[0, 1], [1, 0]]
WHOLE = np.array([[False, True], [True, False]])


def test_a_matrix_may_be_listed_or_of_small_integers() -> None:
    value, gradient = cyclicity(np.array(RING, float))
    for other in (RING, np.array(RING, np.int8), np.array(RING, np.longdouble)):
        found, slope = cyclicity(other)
        assert found == pytest.approx(value) and np.allclose(slope, gradient)
    assert thinned_support(WHOLE.tolist(), WHOLE.tolist(), 0).tolist() == WHOLE.tolist()


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: cyclicity([[0, nan], [1, 0]]), "W has non-finite"),
        (lambda: cyclicity([[0, 1]]), "W = .*square"),
        (lambda: thinned_support(WHOLE.astype(int), WHOLE, 0), "whole"),
        (lambda: thinned_support(WHOLE, WHOLE[:1], 0), "strict"),
        (lambda: thinned_support([True], [True], 0), "whole"),
        (lambda: diagnose(None, 0, WHOLE), "library = None"),
        (lambda: discover(None), "problem = None"),
        (lambda: grouping_accuracy(None, [1]), "found = None"),
        (lambda: grouping_accuracy([1], {0: 1}), "true = "),
        (lambda: loose_template(None), "template = None"),
        (lambda: proof_lines(None, None, [], 0.0), "case = None"),
    ],
)
def test_what_is_no_such_argument_is_refused_by_name(call: Callable[[], Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        call()
