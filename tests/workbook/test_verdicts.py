"""Every kind of claim can be met, missed, and missed for a known reason."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.workbook.cards import Claim
from quire.workbook.verdicts import judge


def claim(kind: str, expect: Any, **fields: Any) -> Claim:
    return Claim.model_validate(
        {"id": "99.1", "says": "something to be held", "source": "ours", "kind": kind}
        | {"expect": expect}
        | fields
    )


@pytest.mark.parametrize(
    ("kind", "expect", "met", "missed"),
    [
        ("exact", 3, 3, 4),
        ("exact", True, True, 1),
        ("exact", [1, 2], [1, 2], [2, 1]),
        ("value", 2.0, 2.0, 2.1),
        ("value", 2.0, 2, math.nan),
        ("bound", {"at_most": 1.15}, 1.15, 1.16),
        ("bound", {"at_least": 0}, 0, -1e-9),
        ("bound", {"at_least": 0, "at_most": 1}, 0.5, True),
        ("order", ["a", "b"], ["a", "b"], ["b", "a"]),
        ("order", ["a", "b"], {"a": 1, "b": 2}, {"a": 2, "b": 1}),
        ("order", ["a", "b"], {"a": 1, "b": 1}, {"a": 1}),
        ("shape", "increasing", [1, 2, 2, 3], [1, 3, 2]),
        ("shape", "decreasing", [3, 1], [1, 3]),
        ("shape", "unimodal", [1, 3, 2], [1, 2, 3]),
        ("shape", "valley", [3, 1, 2], [3, 1, 2, 1.5]),
        ("shape", "constant", [2, 2], [2, 3]),
        ("shape", "increasing", [0, 1], [1]),
    ],
)
def test_a_claim_is_met_or_missed(kind: str, expect: Any, met: Any, missed: Any) -> None:
    assert judge(claim(kind, expect), met).verdict == "reproduced"
    judgement = judge(claim(kind, expect), missed)
    assert judgement.verdict == "not reproduced"
    assert judgement.reason


def test_a_known_difference_needs_its_wider_tolerance() -> None:
    loose = {"tolerance": {"rel": 0.5}, "because": "the machine is another one"}
    held = claim("value", 10, tolerance={"abs": 1}, differs=loose)
    assert judge(held, 11).verdict == "reproduced"
    assert judge(held, 14).verdict == "differs"
    assert judge(held, 14).reason == "the machine is another one"
    assert judge(held, 16).verdict == "not reproduced"


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(0, 1e6), st.floats(0, 1))
def test_a_value_is_met_exactly_within_its_margin(
    expect: float, absolute: float, relative: float
) -> None:
    held = claim("value", expect, tolerance={"abs": absolute, "rel": relative})
    margin = held.tolerance.margin(expect)
    assert judge(held, expect).verdict == "reproduced"
    outside = expect + 2 * margin + max(1.0, abs(expect))
    assert judge(held, outside).verdict == "not reproduced"


def test_slack_between_neighbours_is_allowed_where_the_card_says_so() -> None:
    assert judge(claim("shape", "increasing", tolerance={"rel": 0.1}), [0, 1, 0.95, 2]).verdict == (
        "reproduced"
    )
    assert judge(
        claim("order", ["a", "b"], tolerance={"rel": 0.1}), {"a": 1.05, "b": 1}
    ).verdict == ("reproduced")
