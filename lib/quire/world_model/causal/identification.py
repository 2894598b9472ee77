"""The ID algorithm: a causal effect from observations, or the hedge that shows it can not be.

Source: Shpitser and Pearl, Identification of joint interventional distributions (AAAI 2006), figure
3; IDC from their UAI 2006 paper. The lines of the figure are numbered in the comments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from quire.checks import real_array
from quire.signatures import checked
from quire.world_model.causal.expressions import (
    Conditional,
    Expression,
    Joint,
    Product,
    evaluate,
    summed,
)
from quire.world_model.causal.graphs import CausalGraph, Names, Nodes, d_separated
from quire.world_model.errors import NotIdentified, WorldModelError


@dataclass(frozen=True)
class Estimand:
    """An identified distribution P(outcome | do(treatment), given).

    Attributes
    ----------
    outcome, treatment, given
        Sets of variables; what was given and acts like an intervention counts as treatment.
    numerator
        The expression; where ``given`` is not empty, that of P(outcome, given | do(treatment)).
    """

    graph: CausalGraph
    outcome: Nodes
    treatment: Nodes
    given: Nodes
    numerator: Expression

    def __str__(self) -> str:
        if not self.given:
            return str(self.numerator)
        return f"({self.numerator}) / (Σ_{{{', '.join(sorted(self.outcome))}}} {self.numerator})"

    def evaluate(self, joint: Float[np.ndarray, "..."], at: Mapping[str, int]) -> float:
        """Return the probability at the values ``at`` of outcome, treatment and given.

        Parameters
        ----------
        joint
            P(nodes), an axis a node in the graph's order, summing to one.
        at
            The value (index) of every variable that the estimand names.

        Raises
        ------
        WorldModelError
            For an array that is no distribution, or values that are missing or out of range.
        """
        axes = self.graph.nodes
        table = check_distribution(axes, joint)
        named = self.outcome | self.treatment | self.given
        index = check_values(named, at, axes, table.shape)
        values = evaluate(self.numerator, axes, table)
        if self.given:
            over = tuple(axes.index(v) for v in self.outcome)
            with np.errstate(divide="ignore", invalid="ignore"):
                values = values / values.sum(axis=over, keepdims=True)
        place = tuple(
            index.get(v, 0) if n > 1 else 0 for v, n in zip(axes, values.shape, strict=True)
        )
        return float(values[place])


@checked
def identify(graph: CausalGraph, outcome: Names, treatment: Names, given: Names = ()) -> Estimand:
    """Return the estimand of P(outcome | do(treatment), given) from observations.

    Raises
    ------
    NotIdentified
        When the effect has no estimand; ``hedge`` holds the two districts that prove it.
    WorldModelError
        For sets that overlap, are empty, or hold what is no node.
    """
    y, x, z = (graph.check_nodes(names) for names in (outcome, treatment, given))
    if not y or y & x or y & z or x & z:
        raise WorldModelError("outcome, treatment, given: must be disjoint, with an outcome")
    for node in sorted(z):  # IDC: what acts like an intervention is one
        cut = graph.without_incoming(x).without_outgoing([node])
        if d_separated(cut, y, [node], x | (z - {node})):
            return identify(graph, y, x | {node}, z - {node})
    return Estimand(graph, y, x, z, _identify(y | z, x, Joint(graph.nodes), graph))


def _identify(y: Nodes, x: Nodes, p: Expression, graph: CausalGraph) -> Expression:
    nodes = frozenset(graph.nodes)
    if not x:  # 1
        return summed(_ordered(graph, nodes - y), p)
    above = graph.ancestors(y)
    if nodes - above:  # 2
        return _identify(
            y, x & above, summed(_ordered(graph, nodes - above), p), graph.subgraph(above)
        )
    free = (nodes - x) - graph.without_incoming(x).ancestors(y)
    if free:  # 3
        return _identify(y, x | free, p, graph)
    parts = graph.subgraph(nodes - x).districts()
    if len(parts) > 1:  # 4
        factors = tuple(_identify(part, nodes - part, p, graph) for part in parts)
        return summed(_ordered(graph, nodes - y - x), Product(factors))
    part = parts[0]
    whole = graph.districts()
    if len(whole) == 1:  # 5
        raise NotIdentified(
            f"P({', '.join(sorted(y))} | do({', '.join(sorted(x))})) is not identified: "
            f"the districts {sorted(nodes)} and {sorted(part)} form a hedge",
            (nodes, part),
        )
    order = graph.nodes
    around = next(district for district in whole if part <= district)
    factors = tuple(
        Conditional(v, order[: order.index(v)], order[order.index(v) + 1 :], p)
        for v in order
        if v in around
    )
    if around == part:  # 6
        return summed(_ordered(graph, part - y), Product(factors))
    return _identify(y, x & around, Product(factors), graph.subgraph(around))  # 7


def check_distribution(
    axes: tuple[str, ...], joint: Float[np.ndarray, "..."]
) -> Float[np.ndarray, "..."]:
    """Return a joint distribution with one axis a variable.

    Raises
    ------
    WorldModelError
        When an entry is negative, the sum is not one, or the axes do not fit.
    """
    table = real_array("joint", joint, len(axes), least=0.0)
    if abs(table.sum() - 1.0) > 1e-9:
        raise WorldModelError(f"joint sums to {table.sum():.12g}: must sum to one")
    return table


def check_values(
    named: Iterable[str], at: Mapping[str, int], axes: tuple[str, ...], shape: tuple[int, ...]
) -> dict[str, int]:
    """Return the value of each named variable, an index within its axis.

    Raises
    ------
    WorldModelError
        When one is missing or out of range.
    """
    found = {}
    for name in named:
        value = at.get(name)
        size = shape[axes.index(name)]
        if (
            isinstance(value, bool)
            or not isinstance(value, int | np.integer)
            or not 0 <= value < size
        ):
            raise WorldModelError(
                f"at[{name!r}] = {value!r}: must be an integer from 0 to {size - 1}"
            )
        found[name] = int(value)
    return found


def _ordered(graph: CausalGraph, nodes: Iterable[str]) -> tuple[str, ...]:
    chosen = set(nodes)
    return tuple(n for n in graph.nodes if n in chosen)
