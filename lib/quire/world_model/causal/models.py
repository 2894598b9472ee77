"""Discrete structural causal models whose exogenous values can be enumerated."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from quire.checks import instance, integer
from quire.signatures import checked
from quire.world_model.causal.counterfactuals import Event
from quire.world_model.causal.graphs import CausalGraph
from quire.world_model.errors import WorldModelError


@checked
@dataclass(frozen=True)
class DiscreteModel:
    """A structural causal model: every node a table of its parents and its exogenous variables.

    Attributes
    ----------
    graph
        Its causal graph; each double arrow is an exogenous variable of its own.
    sizes
        Number of values of each node.
    inputs
        For each node the exogenous variables that it reads, by number.
    tables
        For each node an array of values, axes: parents in the graph's order, then ``inputs``.
    exogenous
        The distribution of each exogenous variable.
    """

    graph: CausalGraph
    sizes: Mapping[str, int]
    inputs: Mapping[str, tuple[int, ...]]
    tables: Mapping[str, Int[np.ndarray, "..."]]
    exogenous: tuple[Float[np.ndarray, " values"], ...]

    def joint(self, do: Mapping[str, int] | None = None) -> Float[np.ndarray, "..."]:
        """Return P(nodes) after an intervention, one axis a node."""
        table = np.zeros([self.sizes[v] for v in self.graph.nodes])
        for weight, noise in self._noises():
            state = self._world(noise, do or {})
            table[tuple(state[v] for v in self.graph.nodes)] += weight
        return table

    @checked
    def probability(self, events: Iterable[Event], given: Iterable[Event] = ()) -> float:
        """Return P(events | given) by abduction, action and prediction, noise by noise.

        Raises
        ------
        WorldModelError
            When the condition has probability zero.
        """
        asked = tuple(instance("events", each, Event) for each in events)
        conditions = tuple(instance("given", each, Event) for each in given)
        above = below = 0.0
        for weight, noise in self._noises():
            worlds = {e.do: self._world(noise, dict(e.do)) for e in (*asked, *conditions)}
            if all(worlds[c.do][c.variable] == c.value for c in conditions):
                below += weight
                if all(worlds[e.do][e.variable] == e.value for e in asked):
                    above += weight
        if below == 0.0:
            raise WorldModelError("given has probability 0: must be possible")
        return above / below

    def _noises(self) -> Iterable[tuple[float, tuple[int, ...]]]:
        for noise in itertools.product(*(range(len(p)) for p in self.exogenous)):
            yield float(np.prod([p[k] for p, k in zip(self.exogenous, noise, strict=True)])), noise

    def _world(self, noise: tuple[int, ...], do: Mapping[str, int]) -> dict[str, int]:
        state: dict[str, int] = {}
        for v in self.graph.nodes:
            if v in do:
                state[v] = do[v]
            else:
                above = [state[p] for p in self.graph.parents(v)]
                place = (*above, *(noise[k] for k in self.inputs[v]))
                state[v] = int(self.tables[v][place])
        return state


@checked
def random_model(graph: CausalGraph, seed: int, size: int = 2, noise: int = 3) -> DiscreteModel:
    """Return a random model on a graph in which every state of the nodes has positive probability.

    Parameters
    ----------
    graph
        The causal graph.
    seed
        Random seed.
    size
        Number of values of each node.
    noise
        Number of values of each exogenous variable, ``size`` or more.
    """
    width = integer("noise", noise, integer("size", size, 2))
    rng = np.random.default_rng(integer("seed", seed, 0))
    arcs = sorted(graph.bidirected, key=sorted)
    inputs, tables = {}, {}
    for k, v in enumerate(graph.nodes):
        inputs[v] = (k, *(len(graph.nodes) + i for i, arc in enumerate(arcs) if v in arc))
        above = (size,) * len(graph.parents(v))
        table = rng.integers(0, size, (*above, *(width,) * len(inputs[v])))
        moved = np.moveaxis(table, len(above), -1)
        moved[..., :size] = rng.permuted(
            np.broadcast_to(np.arange(size), moved[..., :size].shape), axis=-1
        )
        tables[v] = table
    count = len(graph.nodes) + len(arcs)
    exogenous = tuple(rng.dirichlet(np.full(width, 2.0)) for _ in range(count))
    sizes = dict.fromkeys(graph.nodes, size)
    return DiscreteModel(graph, sizes, inputs, tables, exogenous)
