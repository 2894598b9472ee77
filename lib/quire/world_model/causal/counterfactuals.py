"""The ID* and IDC* algorithms: probabilities of events in several worlds, from observations.

Source: Shpitser and Pearl, What counterfactuals can be tested (UAI 2007). The parallel worlds are
merged into one counterfactual graph; each of its districts must be one experiment; the experiment
must be identified by ID.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from quire.signatures import checked
from quire.world_model.causal.graphs import CausalGraph, causal_graph, d_separated
from quire.world_model.causal.identification import Estimand, check_distribution, identify
from quire.world_model.errors import NotIdentified, WorldModelError

Assignment = tuple[tuple[str, int], ...]


@checked
@dataclass(frozen=True)
class Event:
    """``variable`` has ``value`` in the world where ``do`` holds; make one with `event`."""

    variable: str
    value: int
    do: Assignment = ()

    def __str__(self) -> str:
        world = ", ".join(f"{v}={k}" for v, k in self.do)
        return (
            f"{self.variable}_{{{world}}}={self.value}"
            if world
            else f"{self.variable}={self.value}"
        )


@checked
def event(variable: str, value: int, do: Mapping[str, int] | None = None) -> Event:
    """Return a counterfactual event, such as ``event("Y", 1, {"X": 0})`` for Y_{X=0} = 1.

    Raises
    ------
    WorldModelError
        For values that are no indices.
    """
    world = dict(do or {})
    for name, number in [(variable, value), *world.items()]:
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 0:
            raise WorldModelError(f"{name} = {number!r}: must be an integer, 0 or more")
    return Event(variable, int(value), tuple(sorted((v, int(k)) for v, k in world.items())))


@dataclass(frozen=True)
class Term:
    """One experiment P_x(s): its estimand, and a value or a summation symbol for each variable."""

    estimand: Estimand
    values: tuple[tuple[str, int | str], ...]

    def __str__(self) -> str:
        told = dict(self.values)
        left = ", ".join(f"{v}={told[v]}" for v in sorted(self.estimand.outcome))
        right = ", ".join(f"{v}={told[v]}" for v in sorted(self.estimand.treatment))
        return f"P({left} | do({right}))" if right else f"P({left})"


@dataclass(frozen=True)
class Counterfactual:
    """An identified probability of counterfactual events: a sum of products of experiments.

    Attributes
    ----------
    symbols
        Summation symbols, each with its variable.
    terms
        The factors; none where the probability is 1, or 0 if ``impossible``.
    impossible
        Whether the events contradict each other.
    below
        The probability to divide by, for a conditional one.
    """

    graph: CausalGraph
    symbols: tuple[tuple[str, str], ...]
    terms: tuple[Term, ...]
    impossible: bool = False
    below: Counterfactual | None = field(default=None)

    def __str__(self) -> str:
        if self.impossible:
            return "0"
        text = " ".join(map(str, self.terms)) or "1"
        if self.symbols:
            text = f"Σ_{{{', '.join(s for s, _ in self.symbols)}}} {text}"
        return text if self.below is None else f"({text}) / ({self.below})"

    def evaluate(self, joint: Float[np.ndarray, "..."]) -> float:
        """Return the probability, given P(nodes) as an array with one axis a node.

        Raises
        ------
        WorldModelError
            For an array that is no distribution.
        """
        table = check_distribution(self.graph.nodes, joint)
        if self.impossible:
            return 0.0
        sizes = [range(table.shape[self.graph.nodes.index(v)]) for _, v in self.symbols]
        total = 0.0
        for chosen in itertools.product(*sizes):
            known = dict(zip((s for s, _ in self.symbols), chosen, strict=True))
            product = 1.0
            for term in self.terms:
                at = {v: known[k] if isinstance(k, str) else k for v, k in term.values}
                product *= term.estimand.evaluate(table, at)
            total += product
        return total if self.below is None else total / self.below.evaluate(table)


@checked
def identify_counterfactual(
    graph: CausalGraph, events: Iterable[Event], given: Iterable[Event] = ()
) -> Counterfactual:
    """Return the estimand of P(events | given), events of any worlds, from observations.

    Raises
    ------
    NotIdentified
        When observations do not determine it; ``hedge`` says what conflicts.
    WorldModelError
        For events about what is no node, or a condition that can not happen.
    """
    asked, conditions = _checked(graph, events), _checked(graph, given)
    if not conditions:
        return _identify(graph, asked)
    if _merge(graph, conditions) is None:
        raise WorldModelError("given contradicts itself: must be possible")
    merged = _merge(graph, asked + conditions)
    if merged is None:
        return Counterfactual(graph, (), (), impossible=True)
    for condition in conditions:  # IDC*: what acts like an intervention is one
        moved = _moved(merged, asked, condition)
        if moved is not None:
            rest = [c for c in conditions if c != condition]
            return identify_counterfactual(graph, moved, rest)
    above = _identify(graph, asked + conditions)
    below = _identify(graph, conditions)
    return Counterfactual(graph, above.symbols, above.terms, above.impossible, below)


@dataclass
class _Merged:
    """The counterfactual graph: classes of equal copies, with their parents and known values."""

    variable: dict[int, str]
    parents: dict[int, dict[str, int | tuple[str, int]]]  # a class, or a fixed (variable, value)
    value: dict[int, int]
    of_event: dict[Event, int]
    arcs: frozenset[frozenset[str]]

    def relevant(self) -> list[int]:
        found, waiting = set(), list(self.of_event.values())
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                waiting += [p for p in self.parents[node].values() if isinstance(p, int)]
        return sorted(found)


def _checked(graph: CausalGraph, events: Iterable[Event]) -> list[Event]:
    found = []
    for one in events:
        if not isinstance(one, Event):
            raise WorldModelError(f"events has {one!r}: must hold events")
        graph.check_nodes([one.variable, *(v for v, _ in one.do)])
        found.append(one)
    return list(dict.fromkeys(found))


def _merge(graph: CausalGraph, events: list[Event]) -> _Merged | None:
    """Return the counterfactual graph, None where the events contradict each other."""
    known: dict[tuple[str, Assignment], int] = {}
    live = []
    for one in events:
        fixed = dict(one.do).get(one.variable)
        if fixed is not None:
            if fixed != one.value:
                return None
            continue
        if known.setdefault((one.variable, one.do), one.value) != one.value:
            return None
        live.append(one)
    worlds = list(dict.fromkeys(one.do for one in live))
    merged = _Merged({}, {}, {}, {}, graph.bidirected)
    place: dict[tuple[Assignment, str], int | tuple[str, int]] = {}

    def value(node: int | tuple[str, int]) -> int | None:
        return node[1] if isinstance(node, tuple) else merged.value.get(node)

    for v in graph.nodes:
        classes: list[tuple[int, list[dict[str, int | tuple[str, int]]]]] = []
        for world in worlds:
            if v in dict(world):
                place[world, v] = (v, dict(world)[v])
                continue
            above = {p: place[world, p] for p in graph.parents(v)}
            for number, members in classes:
                if any(
                    all(
                        above[p] == other[p]
                        or (value(above[p]) is not None and value(above[p]) == value(other[p]))
                        for p in above
                    )
                    for other in members
                ):
                    members.append(above)
                    place[world, v] = number
                    for p, node in above.items():  # a random parent says more than a fixed one
                        if isinstance(node, int) and isinstance(merged.parents[number][p], tuple):
                            merged.parents[number][p] = node
                    break
            else:
                number = len(merged.variable)
                merged.variable[number], merged.parents[number] = v, dict(above)
                classes.append((number, [above]))
                place[world, v] = number
            if (v, world) in known:
                there = place[world, v]
                assert isinstance(there, int)
                if merged.value.setdefault(there, known[v, world]) != known[v, world]:
                    return None
    for one in live:
        there = place[one.do, one.variable]
        assert isinstance(there, int)
        merged.of_event[one] = there
    return merged


def _identify(graph: CausalGraph, events: list[Event]) -> Counterfactual:
    merged = _merge(graph, events)
    if merged is None:
        return Counterfactual(graph, (), (), impossible=True)
    nodes = merged.relevant()
    symbol: dict[int, int | str] = {
        n: merged.value.get(n, f"{merged.variable[n].lower()}{n}") for n in nodes
    }
    symbols = tuple((str(symbol[n]), merged.variable[n]) for n in nodes if n not in merged.value)
    terms = []
    for district in _districts(graph, merged, nodes):
        values: dict[str, int | str] = {}
        inside = {merged.variable[n] for n in district}
        pairs: list[tuple[str, int | str]] = [(merged.variable[n], symbol[n]) for n in district]
        for n in district:
            for p, node in merged.parents[n].items():
                if isinstance(node, tuple):
                    pairs.append((p, node[1]))
                elif node not in district:
                    pairs.append((p, symbol[node]))
        for variable, known in pairs:
            if values.setdefault(variable, known) != known:
                raise NotIdentified(
                    f"not identified: one district has {variable} = {values[variable]} and "
                    f"{variable} = {known}, which no single experiment shows",
                    (variable, values[variable], known),
                )
        copies = [merged.variable[n] for n in district]
        if len(copies) != len(inside):
            raise NotIdentified(
                "not identified: one district holds two copies of a variable", tuple(copies)
            )
        experiment = identify(graph, inside, set(values) - inside)
        terms.append(Term(experiment, tuple(sorted(values.items()))))
    return Counterfactual(graph, symbols, tuple(terms))


def _districts(graph: CausalGraph, merged: _Merged, nodes: list[int]) -> list[list[int]]:
    """Return the classes joined by a shared hidden cause, their own noise included."""
    left, found = list(nodes), []
    while left:
        part, waiting = [], [left.pop(0)]
        while waiting:
            node = waiting.pop()
            part.append(node)
            for other in list(left):
                a, b = merged.variable[node], merged.variable[other]
                if a == b or frozenset((a, b)) in graph.bidirected:
                    left.remove(other)
                    waiting.append(other)
        found.append(sorted(part))
    return found


def _moved(merged: _Merged, asked: list[Event], condition: Event) -> list[Event] | None:
    """Return the events with the condition as an intervention, None where that is not allowed."""
    if condition not in merged.of_event or condition.variable in dict(condition.do):
        return None
    nodes = merged.relevant()
    name = {n: f"n{n:04d}" for n in nodes}
    arrows = [
        (name[p], name[n]) for n in nodes for p in merged.parents[n].values() if isinstance(p, int)
    ]
    arcs = [
        (name[a], name[b])
        for a, b in itertools.combinations(nodes, 2)
        if merged.variable[a] == merged.variable[b]
        or frozenset((merged.variable[a], merged.variable[b])) in merged.arcs
    ]
    whole = causal_graph(arrows, arcs, name.values())
    here = merged.of_event[condition]
    targets = {merged.of_event[e] for e in asked if e in merged.of_event}
    if here in targets or not targets:
        return None
    others = {name[n] for e, n in merged.of_event.items() if e not in asked and n != here}
    others -= {name[n] for n in targets}
    cut = whole.without_outgoing([name[here]])
    if not d_separated(cut, [name[here]], [name[n] for n in targets], others):
        return None
    below = whole.descendants([name[here]])
    moved = []
    for one in asked:
        inside = one in merged.of_event and name[merged.of_event[one]] in below
        world = {**dict(one.do), condition.variable: condition.value} if inside else dict(one.do)
        moved.append(event(one.variable, one.value, world))
    return moved
