"""Changes of code and rules: what is refused before it runs, and after."""

import pytest
from jaxtyping import TypeCheckError

from quire.world_model.kernel import (
    obligations,
    proposals,
)
from quire.world_model.kernel.modifications import POINTS, static_fault

REFUSED = (ValueError, TypeCheckError)


def test_obligations_are_decided_exactly():
    domain = {"a": (0, 5), "b": (0, 5)}
    core = obligations.rules(domain, [{"a": (2, 4), "b": (1, 3)}])
    for boxes in ([{"a": (2, 3)}], [{"a": (2, 3)}, {"a": (4, 4), "b": (1, 2)}], []):
        new = obligations.rules(domain, boxes)
        weaker = obligations.weakening(core, new)
        truth = [
            {"a": a, "b": b}
            for a in range(6)
            for b in range(6)
            if 2 <= a <= 4
            and 1 <= b <= 3
            and not any(
                all(low <= {"a": a, "b": b}[n] <= high for n, (low, high) in box.items())
                for box in boxes
            )
        ]
        assert weaker in truth
    assert (
        obligations.weakening(core, obligations.rules(domain, [{"a": (2, 3)}, {"a": (4, 5)}]))
        is None
    )
    assert "(check-sat)" not in obligations.smt_lib(core, core)
    for bad in ({}, {"a": (1, 0)}, {"a": (0.0, 1)}, {"a": (True, 2)}):
        with pytest.raises(REFUSED):
            obligations.rules(bad, [])


@pytest.mark.parametrize(
    "source",
    [*proposals.HOSTILE, "", "x" * 5000, "def step(x, u):\n    return x.real\n"],
    ids=range(18),
)
def test_forbidden_code_never_runs(source):
    assert static_fault(source)


def test_modifications():
    outcomes = proposals.judge(proposals.proposals(30, 15, 3))
    assert all(o.passed == (0 if o.hostile else o.count) for o in outcomes) and len(outcomes) == 4


def test_a_back_door_between_the_points_differs_there_and_nowhere_else():
    usual: dict = {}
    exec(proposals.MODEL, usual)
    for one in proposals.hidden(5, 1):
        changed: dict = {}
        exec(one.source, changed)
        assert all(changed["step"](x, u) == usual["step"](x, u) for x, u in POINTS)
        levels = [k / 200 for k in range(2000)]
        assert any(changed["step"](x, 0.0) == 1000.0 for x in levels)
        assert static_fault(one.source) is None and one.hostile
