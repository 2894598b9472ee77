"""Identification and counterfactuals, against models whose truth is known by enumeration."""

import itertools

import networkx as nx
import numpy as np
import pytest
from jaxtyping import TypeCheckError

from quire.world_model import (
    CyclicGraph,
    NotIdentified,
    WorldModelError,
    backdoor,
    causal_graph,
    d_separated,
    event,
    frontdoor,
    identify,
    identify_counterfactual,
    instrument,
    latent_projection,
    random_model,
)

REFUSED = (ValueError, TypeCheckError)

BOW = causal_graph([("X", "Y")], [("X", "Y")])
FRONT = causal_graph([("X", "M"), ("M", "Y")], [("X", "Y")])
NAPKIN = causal_graph([("W", "R"), ("R", "X"), ("X", "Y")], [("W", "X"), ("W", "Y")])


def random_graph(rng: np.random.Generator, n: int, arcs: float = 0.25):
    names = [chr(65 + i) for i in range(n)]
    pairs = list(itertools.combinations(names, 2))
    return causal_graph(
        [p for p in pairs if rng.random() < 0.5], [p for p in pairs if rng.random() < arcs], names
    )


def test_separation_is_that_of_networkx_on_random_graphs():
    rng = np.random.default_rng(1)
    for _ in range(300):
        graph = random_graph(rng, 6, 0.0)
        plain = nx.DiGraph(list(graph.directed))
        plain.add_nodes_from(graph.nodes)
        x, y, *rest = map(str, rng.permutation(list(graph.nodes)))
        given = set(rest[: int(rng.integers(4))])
        assert d_separated(graph, [x], [y], given) == nx.is_d_separator(plain, {x}, {y}, given)
        assert d_separated(graph, [x], [y], given) == d_separated(graph, [y], [x], given)


def test_hidden_nodes_separate_as_their_projection_does():
    rng = np.random.default_rng(2)
    for _ in range(100):
        graph = random_graph(rng, 6, 0.2)
        hidden = set(map(str, rng.permutation(list(graph.nodes))[:2]))
        seen = latent_projection(graph, hidden)
        x, y, *rest = map(str, rng.permutation(list(seen.nodes)))
        given = set(rest[: int(rng.integers(3))])
        assert d_separated(graph, [x], [y], given) == d_separated(seen, [x], [y], given)


def test_identified_effects_are_the_truth():
    rng = np.random.default_rng(3)
    found = 0
    for k in range(40):
        graph = random_graph(rng, 4)
        model = random_model(graph, k)
        x, y, z = map(str, rng.permutation(list("ABCD"))[:3])
        given = [z] if k % 3 == 0 else []
        try:
            estimand = identify(graph, [y], [x], given)
        except NotIdentified:
            continue
        found += 1
        truth = model.probability([event(y, 0, {x: 1})], [event(z, 1, {x: 1})] if given else [])
        assert estimand.evaluate(model.joint(), {x: 1, y: 0, z: 1}) == pytest.approx(
            truth, abs=1e-12
        )
    assert found > 20


def test_effects_in_three_values():
    model = random_model(FRONT, 5, size=3, noise=4)
    estimand = identify(FRONT, "Y", "X")
    for x, y in itertools.product(range(3), range(3)):
        want = model.probability([event("Y", y, {"X": x})])
        assert estimand.evaluate(model.joint(), {"X": x, "Y": y}) == pytest.approx(want, abs=1e-12)


@pytest.mark.parametrize("graph", [FRONT, NAPKIN], ids=["front door", "napkin"])
def test_textbook_graphs_are_identified(graph):
    model = random_model(graph, 7)
    want = model.probability([event("Y", 1, {"X": 1})])
    assert identify(graph, "Y", "X").evaluate(model.joint(), {"X": 1, "Y": 1}) == pytest.approx(
        want
    )


def test_the_bow_is_a_hedge():
    with pytest.raises(NotIdentified) as told:
        identify(BOW, "Y", "X")
    assert told.value.hedge == (frozenset("XY"), frozenset("Y"))


def test_counterfactuals_are_the_truth():
    rng = np.random.default_rng(4)
    found = refused = 0
    for k in range(120):
        graph = random_graph(rng, 3)
        model = random_model(graph, k)
        events = []
        for _ in range(int(rng.integers(2, 4))):
            v = str(rng.choice(list("ABC")))
            do = {u: int(rng.integers(2)) for u in "ABC" if u != v and rng.random() < 0.4}
            events.append(event(v, int(rng.integers(2)), do))
        given = events[1:] if k % 2 else []
        asked = events[:1] if given else events
        try:
            estimand = identify_counterfactual(graph, asked, given)
            truth = model.probability(asked, given)
        except NotIdentified:
            refused += 1
            continue
        except WorldModelError:
            continue
        found += 1
        assert estimand.evaluate(model.joint()) == pytest.approx(truth, abs=1e-12)
    assert found > 50 and refused > 10


def test_effect_on_the_treated_through_the_front_door():
    model = random_model(FRONT, 9)
    asked, given = [event("Y", 1, {"X": 0})], [event("X", 1)]
    estimand = identify_counterfactual(FRONT, asked, given)
    assert estimand.evaluate(model.joint()) == pytest.approx(
        model.probability(asked, given), abs=1e-12
    )


def test_necessity_and_sufficiency_is_not_identified_even_without_confounding():
    graph = causal_graph([("X", "Y")])
    with pytest.raises(NotIdentified):
        identify_counterfactual(graph, [event("Y", 1, {"X": 1}), event("Y", 0, {"X": 0})])


def test_contradicting_events_have_probability_zero():
    graph = causal_graph([("X", "Y")])
    joint = np.full((2, 2), 0.25)
    assert identify_counterfactual(graph, [event("X", 0), event("X", 1)]).evaluate(joint) == 0.0
    assert identify_counterfactual(graph, [event("X", 0, {"X": 1})]).evaluate(joint) == 0.0


def test_criteria():
    fork = causal_graph([("Z", "X"), ("Z", "Y"), ("X", "Y")])
    assert backdoor(fork, "X", "Y", ["Z"]) and not backdoor(fork, "X", "Y")
    assert frontdoor(FRONT, "X", "Y", ["M"]) and not frontdoor(fork, "X", "Y", ["Z"])
    iv = causal_graph([("Z", "X"), ("X", "Y")], [("X", "Y")])
    assert instrument(iv, "Z", "X", "Y") and not instrument(fork, "Z", "X", "Y")


@pytest.mark.parametrize(
    "call",
    [
        lambda: causal_graph([("a", "a")]),
        lambda: causal_graph([("a", "b"), ("b", "a")]),
        lambda: causal_graph([("a",)]),
        lambda: causal_graph(["ab"]),
        lambda: causal_graph([(1, 2)]),
        lambda: d_separated(BOW, ["X"], ["X"]),
        lambda: d_separated(BOW, ["X"], ["Q"]),
        lambda: identify(BOW, "Y", "Y"),
        lambda: identify(BOW, [], "X"),
        lambda: event("Y", True),
        lambda: event("Y", -1),
        lambda: event("Y", 1.0),
        lambda: identify_counterfactual(BOW, ["Y"]),
        lambda: identify(FRONT, "Y", "X").evaluate(np.zeros((2, 2, 2)), {"X": 0, "Y": 0}),
        lambda: identify(FRONT, "Y", "X").evaluate(np.full((2, 2, 2), np.nan), {"X": 0, "Y": 0}),
        lambda: identify(FRONT, "Y", "X").evaluate(np.full((2, 2, 2), 0.125), {"X": 2, "Y": 0}),
        lambda: identify(FRONT, "Y", "X").evaluate(np.full((2, 2, 2), 0.125), {"Y": 0}),
    ],
    ids=range(17),
)
def test_bad_input_is_refused(call):
    with pytest.raises(REFUSED):
        call()


def test_a_cycle_is_named():
    with pytest.raises(CyclicGraph, match=r"a -> b|b -> a"):
        causal_graph([("a", "b"), ("b", "a")])
