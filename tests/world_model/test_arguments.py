"""Arguments of other kinds: the same answer where they mean the same, else refused by name."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from quire.world_model import (
    AlgebraicLoop,
    Barrier,
    Linear,
    Node,
    Policy,
    active,
    causal_graph,
    d_separated,
    event,
    identify,
    port,
    random_model,
    schedule,
    unit,
)

pytestmark = pytest.mark.usefixtures("unchecked_types")

GRAPH = causal_graph([("cause", "effect")])
METRE = unit("m")
LOOP = [Node("a", (METRE,), (METRE,)), Node("b", (METRE,), (METRE,))]
WIRES = [("a", 0, "b", 0), ("b", 0, "a", 0)]
LEVEL = Barrier("fill", {"level": 1.0}, 0.0)


def test_wires_from_an_iterator_still_close_a_loop() -> None:
    for wires in (WIRES, iter(WIRES)):
        with pytest.raises(AlgebraicLoop, match="a"):
            schedule(LOOP, wires)
    assert schedule(iter(LOOP), iter(WIRES[:1])) == (("a",), ("b",))


def test_one_name_may_stand_for_a_list_of_names() -> None:
    assert active(LOOP, WIRES[:1], "b") == {"a", "b"}
    assert not d_separated(GRAPH, "cause", iter(["effect"]))
    assert str(identify(GRAPH, "effect", "cause")) == str(identify(GRAPH, ["effect"], ["cause"]))


def test_a_policy_keeps_the_barriers_of_an_iterator() -> None:
    policy = Policy(barriers=iter([LEVEL]), allow_actions=["fill"])
    assert policy.barriers == (LEVEL,) and policy.allow_actions == ("fill",)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: d_separated(None, "a", "b"), "graph = None"),
        (lambda: identify(GRAPH, None, "cause"), "outcome = None"),
        (lambda: causal_graph(None), "directed = None"),
        (lambda: random_model(None, 0), "graph = None"),
        (lambda: random_model(GRAPH, 0).probability([None]), "events = None"),
        (lambda: random_model(GRAPH, 0).probability("ab"), "events = 'ab'"),
        (lambda: event("Y", 1, [("X", 0)]), "do = "),
        (lambda: event(None, 1), "variable = None"),
        (lambda: port(None, "m", "m"), "name = None"),
        (lambda: Policy(allow_subjects="agent"), "allow_subjects = 'agent'"),
        (lambda: Policy(protected=None), "protected = None"),
        (lambda: Policy(levels=[("fill", 1)]), "levels"),
        (lambda: Policy(barriers=[None]), r"barriers\[0\] = None"),
        (lambda: Policy(exact="no"), "exact = 'no'"),
        (lambda: Barrier("fill", None, 0.0), "coefficients = None"),
        (lambda: Linear(np.eye(1), np.eye(1), [0.0], [1.0]).response(2.0), "steps = 2.0"),
    ],
)
def test_what_is_no_such_argument_is_refused_by_name(call: Callable[[], Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        call()
