"""Every kind of claim can be met, missed, and missed for a known reason."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.workbook.cards import ROLES, Claim
from quire.workbook.verdicts import OUTCOMES, VERDICTS, judge, word


def claim(kind: str, expect: Any, **fields: Any) -> Claim:
    return Claim.model_validate(
        {"id": "99.1", "says": "Something to be held.", "kind": kind, "role": "claim"}
        | {"expect": expect}
        | {"fails_if": "the number is another"}
        | ({"source": "seen", "where": "table 1"} if fields.get("role", "claim") == "claim" else {})
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
        ("value", 2.0, 2, 10**400),
        ("value", 2.0, 2, None),
        ("value", 2.0, 2, [2.0]),
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
        ("shape", "increasing", [0, 1], 1.0),
        ("shape", "increasing", [0, 1], [0, None]),
        ("shape", "increasing", [0, 1], [0, 10**400]),
        ("order", ["a", "b"], ["a", "b"], 3),
        ("order", ["a", "b"], ["a", "b"], "ab"),
        ("order", ["a", "b"], ["a", "b"], ["a", 3]),
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


def test_an_outcome_has_a_word_in_every_role() -> None:
    said = {role: [word(role, outcome) for outcome in OUTCOMES] for role in ROLES}
    assert VERDICTS == ("reproduced", "differs", "not reproduced", "undecided", "not run here")
    assert said["claim"] == list(VERDICTS)
    assert said["finding"][:3] == ["holds", "differs", "our expectation failed"]
    assert said["check"] == said["target"] == ["holds", "fails", "fails", *VERDICTS[3:]]
    held = claim("bound", {"at_most": 1}, role="target")
    assert judge(held, 1).verdict == "holds"
    assert judge(held, 2).verdict == "fails"


BOUND = ("bound", {"at_least": 1, "at_most": 2})


@pytest.mark.parametrize(
    ("kind", "expect", "measured", "interval", "outcome"),
    [
        ("value", 2.0, 2.0, (2.0, 2.0), "held"),
        ("value", 2.0, 2.0, (1.9, 2.1), "undecided"),
        ("value", 2.0, 2.4, (2.1, 2.7), "missed"),
        (*BOUND, 1.5, (1, 2), "held"),
        (*BOUND, 1.9, (1.5, 2.5), "undecided"),
        (*BOUND, 2.4, (1.5, 2.5), "undecided"),
        (*BOUND, 1.5, (0, 3), "undecided"),
        (*BOUND, 0.5, (0, 0.9), "missed"),
        (*BOUND, 2.5, (2.1, 3), "missed"),
        ("order", ["a", "b"], {"a": 1, "b": 2}, {"a": (0.9, 1.1), "b": (1.9, 2.1)}, "held"),
        ("order", ["a", "b"], {"a": 1, "b": 2}, {"a": (0.5, 2), "b": (1, 3)}, "undecided"),
        ("order", ["b", "a"], {"a": 1, "b": 2}, {"a": (0.9, 1.1), "b": (1.9, 2.1)}, "missed"),
        ("order", ["c", "a"], {"a": 1, "b": 2}, {"a": (0.9, 1.1), "b": (1.9, 2.1)}, "missed"),
        ("shape", "increasing", [1, 2], [(0.9, 1.1), (1.9, 2.1)], "held"),
        ("shape", "increasing", [1, 2], [(0, 2), (1, 3)], "undecided"),
        ("shape", "decreasing", [1, 2], [(0.9, 1.1), (1.9, 2.1)], "missed"),
        ("shape", "unimodal", [1, 3, 2], [(1, 1), (3, 3), (2, 2)], "held"),
        ("shape", "unimodal", [1, 3, 2], [(1, 1), (2, 4), (1, 3)], "undecided"),
        ("shape", "valley", [1, 3, 2], [(1, 1), (3, 3), (2, 2)], "missed"),
        ("shape", "unimodal", [1, 3], [(1, 1), (3, 3)], "missed"),
        ("shape", "constant", [1, 1], [(1, 1), (1, 1)], "held"),
        ("shape", "constant", [1, 1], [(1, 1), (0.5, 1.5)], "undecided"),
        ("shape", "constant", [1, 3], [(1, 1), (2.5, 3.5)], "missed"),
        # what is no interval of the measurement never holds
        ("value", 2.0, 2.0, (3.0, 1.0), "missed"),
        ("value", 2.0, 5.0, (1.0, 3.0), "missed"),
        ("value", 2.0, 2.0, 2.0, "missed"),
        ("value", 2.0, 2.0, (math.nan, 2.0), "missed"),
        ("exact", 2, 2, (2, 2), "missed"),
        ("order", ["a", "b"], ["a", "b"], {"a": (0, 0), "b": (1, 1)}, "missed"),
        ("shape", "increasing", [1, 2], [(1, 1)], "missed"),
        ("shape", "increasing", 1, [(1, 1)], "missed"),
    ],
)
def test_an_interval_lies_inside_outside_or_astride(
    kind: str, expect: Any, measured: Any, interval: Any, outcome: str
) -> None:
    judgement = judge(claim(kind, expect), measured, interval)
    assert judgement.outcome == outcome
    assert bool(judgement.reason) == (outcome != "held")


def test_an_interval_differs_only_inside_the_wider_tolerance() -> None:
    loose = {"tolerance": {"abs": 3}, "because": "the machine is another one"}
    held = claim("value", 10, tolerance={"abs": 1}, differs=loose)
    assert judge(held, 12, (11.5, 12.5)).outcome == "differs"
    assert judge(held, 12, (11.5, 13.5)).outcome == "missed"
    assert judge(held, 11.5, (10.5, 12.5)).outcome == "undecided"


@given(st.floats(-100, 100), st.floats(0, 10), st.floats(0, 50))
def test_a_point_is_an_interval_without_width(
    measured: float, absolute: float, expect: float
) -> None:
    for kind, form in (("value", expect), ("bound", {"at_most": expect})):
        held = claim(kind, form, tolerance={"abs": absolute})
        at_point = judge(held, measured).outcome
        near_the_edge = abs(abs(measured - expect) - absolute) < 1e-9
        assert near_the_edge or judge(held, measured, (measured, measured)).outcome == at_point
