"""Operations of one training step, and what each waits for.

A *chain* carries one sub-microbatch through consecutive slices of a module, one slice per rank: its
forwards run along the path, its backwards run back. Chains feed chains (vision pieces feed the
language model's chain of their microbatch), so a step is a directed acyclic graph over operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from quire import checks
from quire.pipeline.schedules.heaps import pop_least, push_least
from quire.signatures import checked

FORWARD, BACKWARD, WEIGHT = 0, 1, 2
KINDS = ("F", "B", "W")
"""Names of the operation kinds; without split backward, ``B`` computes both gradients."""


@dataclass(frozen=True)
class Chain:
    """One sub-microbatch through a run of slices.

    ``path`` lists the rank of each slice; ``forward``, ``backward``, ``weight`` its seconds and
    ``memory`` the bytes it keeps (``weight`` all zero: no split backward). ``stage`` is the global
    number of the first slice, ``feeds_on`` the chains (by position in the list given to
    :func:`assemble`) whose outputs it needs.
    """

    microbatch: int
    module: int
    piece: int
    stage: int
    path: tuple[int, ...]
    forward: Float[np.ndarray, " slices"]
    backward: Float[np.ndarray, " slices"]
    weight: Float[np.ndarray, " slices"]
    memory: Float[np.ndarray, " slices"]
    hop: float = 0.0
    feeds_on: tuple[int, ...] = field(default=())


@dataclass(frozen=True)
class Program:
    """All operations of a step as arrays; operation ``i`` is row ``i`` everywhere.

    Operations are numbered in a topological order. ``dep[dep_ptr[i]:dep_ptr[i + 1]]`` are the
    operations that ``i`` waits for, each ended at least ``lag`` seconds earlier; ``succ`` lists the
    same arcs from the other side. ``acquired`` bytes are taken when an operation starts,
    ``released`` bytes are given back when it ends.
    """

    ranks: int
    duration: Float[np.ndarray, " n"]
    rank: Int[np.ndarray, " n"]
    kind: Int[np.ndarray, " n"]
    chain: Int[np.ndarray, " n"]
    microbatch: Int[np.ndarray, " n"]
    module: Int[np.ndarray, " n"]
    piece: Int[np.ndarray, " n"]
    stage: Int[np.ndarray, " n"]
    segment: Int[np.ndarray, " n"]
    acquired: Float[np.ndarray, " n"]
    released: Float[np.ndarray, " n"]
    dep_ptr: Int[np.ndarray, " pointers"]
    dep: Int[np.ndarray, " arcs"]
    lag: Float[np.ndarray, " arcs"]
    succ_ptr: Int[np.ndarray, " pointers"]
    succ: Int[np.ndarray, " arcs"]
    succ_lag: Float[np.ndarray, " arcs"]

    @property
    def operations(self) -> int:
        """Count the operations."""
        return len(self.duration)

    @property
    def microbatches(self) -> int:
        """Count the microbatches."""
        return int(self.microbatch.max()) + 1

    def work(self) -> Float[np.ndarray, " ranks"]:
        """Sum the seconds of work per rank."""
        return np.bincount(self.rank, weights=self.duration, minlength=self.ranks)

    def memory_need(self) -> Float[np.ndarray, "microbatches ranks"]:
        """Sum the bytes that each microbatch keeps on each rank once its forwards have run."""
        need = np.zeros((self.microbatches, self.ranks))
        np.add.at(need, (self.microbatch, self.rank), self.acquired)
        return need


_TIMES = ("forward", "backward", "weight", "memory")


def _checked(chains: Sequence[Chain], name: str) -> Float[np.ndarray, " slices"]:
    """Return one column of all chains, slice after slice.

    Raises
    ------
    ValueError
        If a chain has not one finite number, zero or more, for each of its slices.
    """
    columns = [np.asarray(getattr(chain, name)) for chain in chains]
    for index, (chain, values) in enumerate(zip(chains, columns, strict=True)):
        if values.shape != (len(chain.path),):
            raise ValueError(
                f"{name} of chain {index} has {values.size} entries for {len(chain.path)} slices"
            )
        if values.dtype.kind not in "biuf":
            raise ValueError(
                f"{name} of chain {index} = {values}: give finite numbers, zero or more"
            )
    flat = np.concatenate(columns, dtype=np.float64)
    if not (np.isfinite(flat) & (flat >= 0)).all():
        index = next(k for k, x in enumerate(columns) if not (np.isfinite(x) & (x >= 0)).all())
        raise ValueError(
            f"{name} of chain {index} = {columns[index]}: give finite numbers, zero or more"
        )
    return flat


def _check_numbers(chains: Sequence[Chain], ranks: int) -> None:
    """Check the path, the whole numbers and the hop of every chain; plain ones at a glance.

    Raises
    ------
    ValueError
        If one of them is out of its range.
    """
    for index, chain in enumerate(chains):
        if not chain.path:
            raise ValueError(f"path of chain {index} is empty: give at least one rank")
        plain = set(map(type, chain.path)) == {int}
        if not plain or min(chain.path) < 0 or max(chain.path) >= ranks:
            for rank in chain.path:
                checks.integer(f"path of chain {index}", rank, 0, ranks - 1)
        for name in ("microbatch", "module", "piece", "stage"):
            value = getattr(chain, name)
            if type(value) is not int or value < 0:
                checks.integer(f"{name} of chain {index}", value, 0)
        if type(chain.hop) is not float or not 0 <= chain.hop < np.inf:
            checks.non_negative(f"hop of chain {index}", chain.hop)


@checked
def assemble(chains: Sequence[Chain], ranks: int) -> Program:
    """Turn chains into a program.

    ``F`` of a slice follows ``F`` of the slice before; the first follows the last ``F`` of every
    chain it feeds on. ``B`` runs the path backwards; the last slice's ``B`` follows its own ``F``
    and the first slice's ``B`` of every chain that feeds on it. ``W``, if any, follows ``B``. An
    arc between different ranks costs the producing chain's hop. Half of a slice's memory is
    released by ``B`` and half by ``W`` when the backward is split, all of it by ``B`` otherwise.

    Raises
    ------
    ValueError
        If ``ranks < 1``, there is no chain, a time, a memory or a hop is negative or not finite, a
        path leaves the ranks, or chains feed on each other in a cycle.
    """
    ranks = checks.integer("ranks", ranks)
    if not chains:
        raise ValueError("chains is empty: give at least one chain")
    flat = _Flat(chains, ranks)
    offsets = flat.offset.tolist()
    between: list[tuple[int, int, float]] = []
    for index, chain in enumerate(chains):
        length = len(chain.path)
        for source in chain.feeds_on:
            if type(source) is not int or not 0 <= source < len(chains):
                source = checks.integer(f"feeds_on of chain {index}", source, 0, len(chains) - 1)
            feeder = chains[source]
            hop = feeder.hop if feeder.path[-1] != chain.path[0] else 0.0
            last = offsets[source] + len(feeder.path) - 1
            between.append((last, offsets[index], hop))
            between.append((offsets[index] + length, last + len(feeder.path), hop))
    arcs = [*flat.arcs(), tuple(np.array(between, dtype=np.float64).reshape(-1, 3).T)]
    tails, heads = (np.concatenate([a[k] for a in arcs]).astype(np.int64) for k in (0, 1))
    lag = np.concatenate([a[2] for a in arcs])
    order = topological_order(flat.operations, tails, heads)
    return _lay_out(ranks, flat.columns(), order, tails, heads, lag)[0]


class _Flat:
    """All chains slice after slice; a chain's operations are its ``F``, then ``B``, then ``W``."""

    def __init__(self, chains: Sequence[Chain], ranks: int) -> None:
        times = {name: _checked(chains, name) for name in _TIMES}
        _check_numbers(chains, ranks)
        self._chains, self._ranks, self._times = chains, ranks, times
        self._length = np.array([len(chain.path) for chain in chains])
        start = np.concatenate([[0], np.cumsum(self._length)])
        self._of = np.repeat(np.arange(len(chains)), self._length)
        self._place = np.arange(start[-1]) - start[self._of]
        self._path = np.concatenate([chain.path for chain in chains])
        self._split = np.logical_or.reduceat(times["weight"] > 0, start[:-1])
        ends = np.cumsum((2 + self._split) * self._length)
        self.operations = int(ends[-1])
        self.offset: Int[np.ndarray, " chains"] = ends - (2 + self._split) * self._length
        self._forward = self.offset[self._of] + self._place
        self._backward = self._forward + self._length[self._of]
        self._late = np.flatnonzero(self._split[self._of])  # slices with a weight gradient apart
        self._weight = (self._backward + self._length[self._of])[self._late]

    def columns(self) -> list[np.ndarray]:
        """Lay out the operations as ``_COLUMNS``."""
        chains, times, late = self._chains, self._times, self._late
        source: Int[np.ndarray, " n"] = np.empty(self.operations, dtype=np.int64)
        kind: Int[np.ndarray, " n"] = np.zeros(self.operations, dtype=np.int64)
        source[self._forward] = source[self._backward] = np.arange(len(self._of))
        source[self._weight] = late
        kind[self._backward], kind[self._weight] = BACKWARD, WEIGHT
        duration, acquired, released = np.zeros((3, self.operations))
        duration[self._forward], duration[self._backward] = times["forward"], times["backward"]
        duration[self._weight] = times["weight"][late]
        acquired[self._forward] = times["memory"]
        released[self._backward] = np.where(
            self._split[self._of], times["memory"] / 2, times["memory"]
        )
        released[self._weight] = times["memory"][late] / 2
        own = self._of[source]
        named = np.array([(c.microbatch, c.module, c.piece, c.stage) for c in chains])[own].T
        stage = named[3] + self._place[source]
        return [
            duration, self._path[source], kind, own, named[0], named[1], named[2], stage,
            stage // self._ranks, acquired, released,
        ]  # fmt: skip

    def arcs(self) -> list[tuple[np.ndarray, ...]]:
        """List (from, to, lag) in chains: along ``F``, back along ``B``, from ``B`` to ``W``."""
        here = np.flatnonzero(self._place[1:] > 0)  # the next slice is of the same chain
        path, hop = self._path, np.array([chain.hop for chain in self._chains])[self._of[here]]
        hop = np.where(path[here + 1] != path[here], hop, 0.0)
        last = np.cumsum(self._length) - 1
        forward, backward = self._forward, self._backward
        return [
            (forward[here], forward[here + 1], hop),
            (backward[here + 1], backward[here], hop),
            (forward[last], backward[last], np.zeros(len(last))),
            (backward[self._late], self._weight, np.zeros(len(self._late))),
        ]


def rewired(
    program: Program,
    source: Int[np.ndarray, " arcs"],
    target: Int[np.ndarray, " arcs"],
    lag: Float[np.ndarray, " arcs"],
) -> tuple[Program, Int[np.ndarray, " n"]]:
    """Return the same operations under other arcs, and each old operation's new number.

    Raises
    ------
    ValueError
        If the arcs close a cycle.
    """
    columns = [getattr(program, name) for name in _COLUMNS]
    order = topological_order(program.operations, source, target)
    return _lay_out(program.ranks, columns, order, source, target, lag)


_COLUMNS = (
    "duration", "rank", "kind", "chain", "microbatch", "module", "piece", "stage", "segment",
    "acquired", "released",
)  # fmt: skip


def _lay_out(
    ranks: int,
    columns: list[np.ndarray],
    order: Int[np.ndarray, " n"],
    source: Int[np.ndarray, " arcs"],
    target: Int[np.ndarray, " arcs"],
    lag: Float[np.ndarray, " arcs"],
) -> tuple[Program, Int[np.ndarray, " n"]]:
    """Lay out a program whose operation ``k`` is the old ``order[k]``; arcs from both sides."""
    n = len(order)
    position = np.empty(n, dtype=np.int64)
    position[order] = np.arange(n)
    source, target = position[source], position[target]
    moved = {name: column[order] for name, column in zip(_COLUMNS, columns, strict=True)}
    dep_ptr, dep, dep_lag = _rows_of(n, target, source, lag)
    succ_ptr, succ, succ_lag = _rows_of(n, source, target, lag)
    return Program(
        ranks, **moved, dep_ptr=dep_ptr, dep=dep, lag=dep_lag,
        succ_ptr=succ_ptr, succ=succ, succ_lag=succ_lag,
    ), position  # fmt: skip


def _rows_of(
    n: int,
    key: Int[np.ndarray, " arcs"],
    value: Int[np.ndarray, " arcs"],
    lag: Float[np.ndarray, " arcs"],
) -> tuple[Int[np.ndarray, " pointers"], Int[np.ndarray, " arcs"], Float[np.ndarray, " arcs"]]:
    """Compress rows: the arcs of ``key`` 0, then of ``key`` 1, and so on."""
    by_key = np.argsort(key, kind="stable")
    pointer = np.concatenate([[0], np.cumsum(np.bincount(key, minlength=n))]).astype(np.int64)
    return pointer, value[by_key], lag[by_key]


def topological_order(
    n: int, source: Int[np.ndarray, " arcs"], target: Int[np.ndarray, " arcs"]
) -> Int[np.ndarray, " n"]:
    """Order operations so that every arc points forward; of those ready, the smallest number first.

    Raises
    ------
    ValueError
        If an arc leaves the operations, the arcs close a cycle, or the ends are no whole numbers.
    """
    n = checks.integer("n", n, 0)
    source = checks.whole_array("source", source, 1)
    target = checks.whole_array("target", target, 1)
    if len(source) != len(target):
        raise ValueError(f"target = {len(target)} ends: give as many as source, {len(source)}")
    ends = np.concatenate([source, target])
    if len(ends) and not (ends.min() >= 0 and ends.max() < n):
        raise ValueError(f"arcs name operations {ends.min()} to {ends.max()}: give 0 to {n - 1}")
    missing = np.bincount(target, minlength=n)
    pointer, followers, _ = _rows_of(n, source, target, np.zeros(len(source)))
    order = np.empty(n, dtype=np.int64)
    if _order_into(missing, pointer, followers, order) < n:
        stuck = int(np.flatnonzero(missing > 0)[0])
        raise ValueError(f"precedence is cyclic: operation {stuck} waits for itself")
    return order


@njit(cache=True, nogil=True)
@no_type_check
def _order_into(missing, pointer, followers, order):
    """Fill ``order``, the smallest ready number first; count what could be placed."""
    n = missing.shape[0]
    heap = np.empty(n, np.int64)
    size, placed = 0, 0
    for i in range(n):
        if missing[i] == 0:
            size = push_least(heap, 0, size, i)
    while size > 0:
        i = pop_least(heap, 0, size)
        size -= 1
        order[placed] = i
        placed += 1
        for a in range(pointer[i], pointer[i + 1]):
            j = followers[a]
            missing[j] -= 1
            if missing[j] == 0:
                size = push_least(heap, 0, size, j)
    return placed
