"""From tables to a difference: the estimand whose graph criterion holds for the printed tables."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from quire.world_model.causal.cladder._roles import assign, granted, likeness
from quire.world_model.causal.cladder._text import Question, Table
from quire.world_model.causal.graphs import (
    CausalGraph,
    backdoor,
    d_separated,
    frontdoor,
    instrument,
)
from quire.world_model.errors import Unreadable

NO_EFFECT = "0: the graph has no open path"


@dataclass(frozen=True)
class Estimate:
    """A difference and its estimand; whether the graph grants it, or alone gave it."""

    value: float
    estimand: str
    identified: bool = True
    by_graph: bool = False


def estimate(question: Question, structure_first: bool = True) -> Estimate:
    """Return the difference that a question asks the sign of.

    Raises
    ------
    Unreadable
        When the tables are not those that the query needs.
    """
    rule = {
        "ate": _effect,
        "ett": _effect_on_treated,
        "marginal": _marginal,
        "correlation": _correlation,
        "backadj": _adjustment,
        "collider_bias": _causes,
        "exp_away": _explained_away,
        "nde": _mediated,
        "nie": _mediated,
    }[question.query]
    first: Unreadable | None = None
    for tables in itertools.permutations(question.tables):  # the printed order is the first
        try:
            return rule(replace(question, tables=tables), structure_first)
        except Unreadable as fault:
            first = first or fault
    assert first is not None
    raise first


def _shape(question: Question) -> tuple[tuple[str, int], ...]:
    return tuple((t.kind, len(t.numbers)) for t in question.tables)


def _told(question: Question) -> str:
    told = ", ".join(f"{k} x {n}" for k, n in _shape(question)) or "none"
    return f"{question.query}: the tables ({told}) fit no estimand"


def _grid(table: Table) -> np.ndarray:
    return np.asarray(table.numbers).reshape((2,) * int(np.log2(len(table.numbers))))


def _sink(graph: CausalGraph, y: str) -> bool:
    return not graph.children(y)


def _effect(question: Question, structure_first: bool) -> Estimate:
    graph, shape = question.graph, _shape(question)
    phrases = [question.phrases["x"], question.phrases["y"]]
    found = assign(graph, phrases, lambda x, y: y in graph.descendants([x]))
    if found is None and structure_first:
        return Estimate(0.0, NO_EFFECT, by_graph=True)
    if shape == (("given", 2),):
        low, high = question.tables[0].numbers
        fits = granted(graph, phrases, lambda x, y: _sink(graph, y) and backdoor(graph, x, y))
        return Estimate(high - low, "P(y|x1) - P(y|x0)", fits)
    if shape == (("given", 4), ("overall", 1)):
        fits = granted(
            graph,
            phrases,
            lambda x, y, v: (
                _sink(graph, y) and v not in question.hidden and backdoor(graph, x, y, [v])
            ),
            3,
        )
        table, share = _grid(question.tables[0]), question.tables[1].numbers[0]
        weights = np.array([1 - share, share])
        value = float(weights @ (table[:, 1] - table[:, 0]))
        return Estimate(value, "Σ_v P(v) [P(y|v,x1) - P(y|v,x0)]", fits)
    if shape == (("given", 2), ("given", 4), ("overall", 1)):
        return _front_door(question)
    if shape == (("given", 2), ("given", 2)):
        fits = granted(
            graph,
            phrases,
            lambda x, y, z: (
                _sink(graph, y) and z not in question.hidden and instrument(graph, z, x, y)
            ),
            3,
        )
        (y0, y1), (x0, x1) = (t.numbers for t in question.tables)
        value = (y1 - y0) / (x1 - x0) if x1 != x0 else 0.0
        return Estimate(value, "[P(y|z1) - P(y|z0)] / [P(x|z1) - P(x|z0)]", fits)
    raise Unreadable(_told(question))


def _front_door(question: Question) -> Estimate:
    graph = question.graph
    phrases = [question.phrases["x"], question.phrases["y"]]
    fits = granted(
        graph,
        phrases,
        lambda x, y, m: (
            _sink(graph, y) and m not in question.hidden and frontdoor(graph, x, y, [m])
        ),
        3,
    )
    low, high = question.tables[0].numbers
    table, share = _grid(question.tables[1]), question.tables[2].numbers[0]
    inner = np.array([1 - share, share]) @ table
    value = (high - low) * (inner[1] - inner[0])
    return Estimate(float(value), "Σ_m [P(m|x1) - P(m|x0)] Σ_x P(y|x,m) P(x)", fits)


def _effect_on_treated(question: Question, structure_first: bool) -> Estimate:
    """Return E[Y_0 - Y_1 | treated]: the question asks whether Y would be likelier without.

    Raises
    ------
    Unreadable
        When the tables fit no estimand.
    """
    graph, shape = question.graph, _shape(question)
    phrases = [question.phrases["c"], question.phrases["y"]]
    if shape == (("given", 2),):
        table = question.tables[0]
        low, high = table.numbers
        turned = question.phrases["c"] == table.conditions[0] != table.conditions[1]
        fits = granted(graph, phrases, lambda x, y: _sink(graph, y) and backdoor(graph, x, y))
        value = high - low if turned else low - high
        return Estimate(value, "P(y|x0) - P(y|x1)", fits)
    if shape == (("given", 4), ("overall", 1)):
        grid, share = _grid(question.tables[0]), question.tables[1].numbers[0]
        fits = granted(
            graph,
            phrases,
            lambda x, y, v: (
                _sink(graph, y) and v not in question.hidden and backdoor(graph, x, y, [v])
            ),
            3,
        )
        weights = np.array([1 - share, share])  # P(v|x1) is not printed; P(v) stands in
        value = float(weights @ (grid[:, 0] - grid[:, 1]))
        return Estimate(value, "Σ_v P(v) [P(y|v,x0) - P(y|v,x1)]", fits)
    if shape == (("given", 4), ("given", 2)):
        grid, (low, high) = _grid(question.tables[0]), question.tables[1].numbers
        through = assign(
            graph,
            phrases,
            lambda x, y, m: (
                _sink(graph, y) and m not in question.hidden and frontdoor(graph, x, y, [m])
            ),
            3,
        )
        if through is not None:
            value = (high - low) * (grid[1, 0] - grid[1, 1])
            return Estimate(float(value), "Σ_m P(y|x1,m) [P(m|x0) - P(m|x1)]")
        fits = granted(
            graph,
            phrases,
            lambda x, y, v: (
                _sink(graph, y) and v not in question.hidden and backdoor(graph, x, y, [v])
            ),
            3,
        )
        value = float(np.array([1 - high, high]) @ (grid[0] - grid[1]))
        return Estimate(value, "Σ_v P(v|x1) [P(y|x0,v) - P(y|x1,v)]", fits)
    raise Unreadable(_told(question))


def _marginal(question: Question, structure_first: bool) -> Estimate:
    if _shape(question) != (("overall", 1), ("given", 2)):
        raise Unreadable(_told(question))
    share, (low, high) = question.tables[0].numbers[0], question.tables[1].numbers
    value = (1 - share) * low + share * high - 0.5
    return Estimate(value, "Σ_x P(x) P(y|x) - 1/2")


def _correlation(question: Question, structure_first: bool) -> Estimate:
    if _shape(question) != (("overall", 1), ("joint", 2)):
        raise Unreadable(_told(question))
    graph, phrases = question.graph, [question.phrases["x"], question.phrases["y"]]
    found = assign(
        graph, phrases, lambda x, y: not d_separated(graph, [x], [y]) and _sink(graph, y)
    )
    apart = assign(graph, phrases, lambda x, y: d_separated(graph, [x], [y]))
    share, (low, high) = question.tables[0].numbers[0], question.tables[1].numbers
    if not 0 < share < 1:
        raise Unreadable(f"the overall probability {share:.0%}: must lie between 0 and 100 %")
    value = high / share - low / (1 - share)
    # Where words do not tell which nodes are meant, a separation must survive the rounding.
    rounding = 0.005 * (1 / share + 1 / (1 - share)) + 0.005 * (
        high / share**2 + low / (1 - share) ** 2
    )
    lead = _lead(apart, found, phrases)
    if structure_first and (lead > 0 or (lead == 0 and apart and abs(value) <= rounding)):
        return Estimate(0.0, NO_EFFECT, by_graph=True)
    return Estimate(value, "P(x1,y)/P(x1) - P(x0,y)/P(x0)")


def _lead(
    first: tuple[str, ...] | None, second: tuple[str, ...] | None, phrases: list[str]
) -> float:
    """Return by how much the first nodes are more alike to the phrases than the second."""

    def score(nodes: tuple[str, ...] | None) -> float:
        return (
            -1.0
            if nodes is None
            else sum(likeness(p, n) for p, n in zip(phrases, nodes, strict=True))
        )

    return round(score(first) - score(second), 9)


def _adjustment(question: Question, structure_first: bool) -> Estimate:
    """Return 1 where Method 1 is the right one, else 0."""
    graph = question.graph
    found = assign(graph, [question.phrases["x"], question.phrases["y"]], lambda x, y: True)
    assert found is not None
    x, y = found
    valid = []
    for how in question.methods:
        _, _, according = how.partition("case by case according to ")
        if according:
            v = assign(graph, [according], lambda v: v not in (x, y))
            valid.append(v is not None and not backdoor(graph, x, y))
        else:
            valid.append(backdoor(graph, x, y))
    return Estimate(float(valid[0]), "back-door criterion", by_graph=True)


def _causes(question: Question, structure_first: bool) -> Estimate:
    """Return 1 where x is a cause of y, by the nodes that the words are nearest to."""
    graph, phrases = question.graph, [question.phrases["x"], question.phrases["y"]]
    linked = assign(graph, phrases, lambda x, y: y in graph.descendants([x]))
    apart = assign(graph, phrases, lambda x, y: y not in graph.descendants([x]))
    return Estimate(float(_lead(linked, apart, phrases) > 0), "directed path", by_graph=True)


def _explained_away(question: Question, structure_first: bool) -> Estimate:
    if _shape(question) not in ((("overall", 1), ("given", 4)), (("given", 4),)):
        raise Unreadable(_told(question))
    table = _grid(question.tables[-1])
    return Estimate(float(table[1, 1] - table[0, 1]), "P(y|x1,c) - P(y|x0,c)")


def _mediated(question: Question, structure_first: bool) -> Estimate:
    """Return the natural direct or indirect effect from what is printed.

    Raises
    ------
    Unreadable
        When the tables fit no estimand.
    """
    graph, shape, direct = question.graph, _shape(question), question.query == "nde"
    if shape == (("given", 2),) and not direct:
        return Estimate(
            question.tables[0].numbers[1] - question.tables[0].numbers[0], "P(y|x1) - P(y|x0)"
        )
    if shape == (("given", 2), ("given", 4), ("overall", 1)) and not direct:
        return _front_door(question)
    if shape == (("given", 4), ("given", 2)):
        mediator = np.array([[1 - p, p] for p in question.tables[1].numbers])
    elif shape == (("given", 4), ("given", 4), ("overall", 1)):
        share = question.tables[2].numbers[0]
        high = _grid(question.tables[1]) @ np.array([1 - share, share])
        mediator = np.stack([1 - high, high], axis=1)
    else:
        raise Unreadable(_told(question))
    table = _grid(question.tables[0])
    fits = granted(
        graph,
        [question.phrases["x"], question.phrases["y"], question.phrases["m"]],
        lambda x, y, m: (
            y in graph.descendants([m])
            and m in graph.descendants([x])
            and backdoor(graph, m, y, [x])
            and backdoor(graph, x, y)
            and backdoor(graph, x, m)
        ),
    )
    if direct:
        value = float(mediator[0] @ (table[1] - table[0]))
        return Estimate(value, "Σ_m P(m|x0) [P(y|x1,m) - P(y|x0,m)]", fits)
    value = float((mediator[1] - mediator[0]) @ table[0])
    return Estimate(value, "Σ_m P(y|x0,m) [P(m|x1) - P(m|x0)]", fits)
