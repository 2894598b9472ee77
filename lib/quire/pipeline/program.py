"""Operations of one training step, and what each waits for.

A *chain* carries one sub-microbatch through consecutive slices of a module, one slice per rank: its
forwards run along the path, its backwards run back. Chains feed chains (vision pieces feed the
language model's chain of their microbatch), so a step is a directed acyclic graph over operations.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from quire import checks
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


def _check(chain: Chain, index: int, ranks: int) -> None:
    for name in ("forward", "backward", "weight", "memory"):
        values = np.asarray(getattr(chain, name))
        if values.shape != (len(chain.path),):
            raise ValueError(
                f"{name} of chain {index} has {values.size} entries for {len(chain.path)} slices"
            )
        if values.dtype.kind not in "biuf" or not (np.isfinite(values) & (values >= 0)).all():
            raise ValueError(
                f"{name} of chain {index} = {values}: give finite numbers, zero or more"
            )
    if not chain.path:
        raise ValueError(f"path of chain {index} is empty: give at least one rank")
    for rank in chain.path:
        checks.integer(f"path of chain {index}", rank, 0, ranks - 1)
    for name in ("microbatch", "module", "piece", "stage"):
        checks.integer(f"{name} of chain {index}", getattr(chain, name), 0)
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
    blocks, arcs, offsets, n = [], [], [], 0
    for index, chain in enumerate(chains):
        _check(chain, index, ranks)
        offsets.append(n)
        block = _chain_columns(chain, index, ranks)
        arcs.append(_chain_arcs(chain, n, len(block[0]) > 2 * len(chain.path)))
        blocks.append(block)
        n += len(block[0])
    between: list[tuple[int, int, float]] = []
    for index, chain in enumerate(chains):
        length = len(chain.path)
        for source in chain.feeds_on:
            source = checks.integer(f"feeds_on of chain {index}", source, 0, len(chains) - 1)
            feeder = chains[source]
            hop = feeder.hop if feeder.path[-1] != chain.path[0] else 0.0
            last = offsets[source] + len(feeder.path) - 1
            between.append((last, offsets[index], hop))
            between.append((offsets[index] + length, last + len(feeder.path), hop))
    arcs.append(np.array(between, dtype=np.float64).reshape(-1, 3))
    columns = [np.concatenate(column) for column in zip(*blocks, strict=True)]
    tails, heads = (np.concatenate([a[:, k] for a in arcs]).astype(np.int64) for k in (0, 1))
    lag = np.concatenate([a[:, 2] for a in arcs])
    order = topological_order(n, tails, heads)
    return _lay_out(ranks, columns, order, tails, heads, lag)[0]


def _chain_columns(chain: Chain, index: int, ranks: int) -> list[np.ndarray]:
    """Lay out the chain's ``F``, then ``B``, then ``W`` along the path, as ``_COLUMNS``."""
    length = len(chain.path)
    memory = np.asarray(chain.memory, dtype=np.float64)
    seconds = [np.asarray(t, dtype=np.float64) for t in (chain.forward, chain.backward)]
    weight = np.asarray(chain.weight, dtype=np.float64)
    none = np.zeros(length)
    if (weight > 0).any():
        seconds.append(weight)
        acquired, released = [memory, none, none], [none, memory / 2, memory / 2]
    else:
        acquired, released = [memory, none], [none, memory]
    kinds = len(seconds)
    stage = np.tile(chain.stage + np.arange(length), kinds)

    def same(value: int) -> np.ndarray:
        return np.full(kinds * length, value, dtype=np.int64)

    return [
        np.concatenate(seconds), np.tile(np.array(chain.path, dtype=np.int64), kinds),
        np.repeat(np.arange(kinds), length), same(index), same(chain.microbatch),
        same(chain.module), same(chain.piece), stage, stage // ranks, np.concatenate(acquired),
        np.concatenate(released),
    ]  # fmt: skip


def _chain_arcs(chain: Chain, first: int, split: bool) -> Float[np.ndarray, "arcs 3"]:
    """List (from, to, lag) within a chain: along ``F``, back along ``B``, from ``B`` to ``W``."""
    length = len(chain.path)
    forward = first + np.arange(length)
    backward = forward + length
    path = np.array(chain.path)
    hop = np.where(path[1:] != path[:-1], chain.hop, 0.0)
    zero = np.zeros(length)
    parts = [
        (forward[:-1], forward[1:], hop),
        (backward[1:], backward[:-1], hop),
        (forward[-1:], backward[-1:], zero[:1]),
    ]
    if split:
        parts.append((backward, backward + length, zero))
    return np.concatenate([np.column_stack(part) for part in parts])


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
    followers: list[list[int]] = [[] for _ in range(n)]
    for a, b in zip(source.tolist(), target.tolist(), strict=True):
        followers[a].append(b)
    ready = [i for i in range(n) if missing[i] == 0]  # sorted, hence a heap
    order: list[int] = []
    while ready:
        i = heapq.heappop(ready)
        order.append(i)
        for j in followers[i]:
            missing[j] -= 1
            if missing[j] == 0:
                heapq.heappush(ready, j)
    if len(order) < n:
        stuck = int(np.flatnonzero(missing > 0)[0])
        raise ValueError(f"precedence is cyclic: operation {stuck} waits for itself")
    return np.array(order, dtype=np.int64)
