"""Orders of forwards and backwards for zero-bubble schedules, before weight gradients are placed.

Each is a topological order of all forwards and backwards of a pipeline of stages: those of
:func:`warmup_orders` serve one stage per rank, those of :func:`v_orders` two stages per rank that
are visited outbound and returning.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int

from quire.pipeline.program import BACKWARD, FORWARD

Index = Int[np.ndarray, "kinds microbatches stages"]


def warmup_orders(index: Index, room: int) -> Iterator[Int[np.ndarray, " twice_chains"]]:
    """Yield orders: rank ``r`` warms up with ``w_r`` forwards, then alternates ``B`` and ``F``.

    Warm-ups fall along the ranks at slopes 1 (1F1B) to 2.75 and never exceed ``room`` microbatches.
    """
    m, ranks = index.shape[1:]
    cap = min(room, m)
    behind = ranks - 1 - np.arange(ranks)
    seen: set[bytes] = set()
    for slope in np.arange(1.0, 2.76, 0.125):
        for phase in (0.0, 0.25, 0.5, 0.75, 1.0, 2.0):
            for last in (1, 2):
                ahead = np.floor(slope * behind + phase + 1e-9).astype(np.int64)
                warm = np.minimum(last + np.where(behind > 0, ahead, 0), cap)
                if warm.tobytes() not in seen:
                    seen.add(warm.tobytes())
                    yield _alternating(index, warm)


def _alternating(index: Index, warm: Int[np.ndarray, " ranks"]) -> Int[np.ndarray, " _"]:
    m, ranks = index.shape[1:]
    order = [index[FORWARD, i, rank] for rank in range(ranks) for i in range(warm[rank])]
    for i in range(m):
        order += [index[BACKWARD, i, rank] for rank in range(ranks - 1, -1, -1)]
        order += [index[FORWARD, warm[r] + i, r] for r in range(ranks) if warm[r] + i < m]
    return np.array(order, dtype=np.int64)


def v_orders(index: Index, room: int) -> Iterator[Int[np.ndarray, " twice_chains"]]:
    """Yield orders on a V for warm-ups of up to ``room`` chunk activations per rank."""
    seen: set[bytes] = set()
    for chunks in range(room, max(room - 4, 1), -1):
        order = _VRounds(index).order(chunks)
        if order is not None and order.tobytes() not in seen:
            seen.add(order.tobytes())
            yield order


class _VRounds:
    """Rounds on a V, without times: an operation may run once its input has run.

    The outbound leg (0) visits ranks ``0 … P−1``, the returning leg (1) ``P−1 … 0``; backwards
    travel the same way as forwards, through the stages in reverse.
    """

    def __init__(self, index: Index) -> None:
        self._index = index
        self._m, self._ranks = index.shape[1], index.shape[2] // 2
        self._count = np.zeros((2, 2, self._ranks), dtype=np.int64)  # kind, leg, rank
        self._order: list[int] = []

    def order(self, chunks: int) -> Int[np.ndarray, " _"] | None:
        """Warm up to ``chunks`` activations on rank 0, then one backward, one forward per round."""
        self._warm_up(chunks)
        for _ in range(4 * (self._m + self._ranks)):
            self._round()
            if (self._count == self._m).all():
                return np.array(self._order, dtype=np.int64)
        return None

    def _warm_up(self, chunks: int) -> None:
        m, ranks, count = self._m, self._ranks, self._count[FORWARD]
        for rank in range(ranks):
            for _ in range(min(max(chunks - 2 * rank - 1, 1), m)):
                self._put(FORWARD, 0, rank)
        for rank in range(ranks - 1, -1, -1):
            self._put(FORWARD, 1, rank)
        leg = stuck = 0
        for first in range(1, ranks):
            # a rank enters the rounds with as many forwards as the one before and one more returned
            while (
                count[:, first].sum() < count[:, first - 1].sum()
                or count[1, first] <= count[1, first - 1] < m
            ):
                before = len(self._order)
                for rank in range(ranks - 1, first - 1, -1):
                    if self._available(FORWARD, leg, rank):
                        self._put(FORWARD, leg, rank)
                leg, stuck = 1 - leg, stuck + 1 if len(self._order) == before else 0
                if stuck == 2:
                    return  # neither leg can move before a backward has run

    def _round(self) -> None:
        """Run backwards, returning before outbound, on what the last round left; then forwards."""
        ranks = range(self._ranks)
        legs = [self._next_leg(BACKWARD, rank) for rank in ranks]
        for leg, sweep in ((1, reversed(ranks)), (0, ranks)):
            for rank in sweep:
                if legs[rank] == leg and self._available(BACKWARD, leg, rank):
                    self._put(BACKWARD, leg, rank)
        for rank in ranks:
            leg = self._next_leg(FORWARD, rank)
            if self._available(FORWARD, leg, rank):
                self._put(FORWARD, leg, rank)

    def _next_leg(self, kind: int, rank: int) -> int:
        """Take the returning leg whenever its input is there, else the outbound one."""
        out, back = self._count[kind, :, rank]
        if out >= self._m:
            return 1
        if back >= out:
            return 0
        return int(rank == self._ranks - 1 or self._available(kind, 1, rank))

    def _available(self, kind: int, leg: int, rank: int) -> bool:
        count, k = self._count, self._count[kind, leg, rank]
        if k >= self._m:
            return False
        if leg == 0 and rank > 0:
            return bool(count[kind, 0, rank - 1] > k)
        if leg == 0:
            # a backward sets out from rank 0 once its forward has returned there
            return bool(kind == FORWARD or count[FORWARD, 1, 0] > k)
        if rank == self._ranks - 1:
            return bool(count[kind, 0, rank] > k)
        return bool(count[kind, 1, rank + 1] > k)

    def _put(self, kind: int, leg: int, rank: int) -> None:
        first_half = leg == 0 if kind == FORWARD else leg == 1
        stage = rank if first_half else 2 * self._ranks - 1 - rank
        self._order.append(int(self._index[kind, self._count[kind, leg, rank], stage]))
        self._count[kind, leg, rank] += 1
