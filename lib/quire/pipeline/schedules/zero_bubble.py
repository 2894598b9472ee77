"""Zero-bubble schedules: the backward is split and weight gradients fill the bubbles.

ZB-H1 (ZB-1P) keeps 1F1B's activation memory, ZB-2P twice that, ZB-V puts two chunks on every rank
in V order. A family of orders with different warm-ups is filled with weight gradients under
different settings, and the best few are annealed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from quire import checks
from quire.pipeline.emulator import emulate_ranks
from quire.pipeline.program import BACKWARD, WEIGHT, Program
from quire.pipeline.schedule import Schedule, rank_spans
from quire.pipeline.schedules.list_scheduling import Rules, checked_limit, list_schedule
from quire.pipeline.schedules.static import operation_index
from quire.pipeline.schedules.warmup_orders import v_orders, warmup_orders
from quire.pipeline.schedules.weight_gradients import (
    anneal_choices,
    place_weight_gradients,
    weight_gradients,
)
from quire.signatures import checked

PROMISING = 16
SHARES = (0.0, 0.5, 1.0)
BUDGETS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 9.0)
"""Idle budgets tried, in mean weight gradients."""


class _Setting(NamedTuple):
    """One way to fill an order; ``span`` is the longest rank span it led to, in seconds."""

    span: float
    order: Int[np.ndarray, " _"]
    budget: Float[np.ndarray, " ranks"]
    follow: bool
    share: Float[np.ndarray, " 3"]
    choice: Int[np.ndarray, " n"]


@checked
def zero_bubble(
    program: Program,
    memory_limit: Float[np.ndarray, " ranks"],
    *,
    iterations: int = 1500,
    seed: int = 0,
) -> Schedule:
    """Search the shortest zero-bubble schedule, for one stage or a V of two per rank.

    ``memory_limit`` of ``P`` microbatches per rank gives ZB-1P, of ``2P`` ZB-2P; a V of two chunks
    with ``2P`` chunk activations gives ZB-V. The measure is the longest rank span (see
    :func:`~quire.pipeline.schedule.rank_spans`), which presumes that the optimizer step is
    validated afterwards instead of behind a barrier.

    Raises
    ------
    ValueError
        If the backward is not split, the program is neither form, the limit is not one finite
        number per rank, or ``iterations`` is negative.
    InfeasibleMemory
        If a rank cannot hold one microbatch.
    """
    if not (program.kind == WEIGHT).any():
        raise ValueError("the program has no weight gradients: split the backward for zero bubble")
    iterations = checks.integer("iterations", iterations, 0)
    memory_limit = checked_limit(program, memory_limit)
    index = operation_index(program)
    microbatches, stages = index.shape[1:]
    chunks = stages // program.ranks
    if stages != chunks * program.ranks or chunks not in (1, 2):
        raise ValueError(f"stages = {stages}: zero bubble needs one or two per rank")
    need = program.memory_need().max(axis=0)
    kept = need > 0  # a rank that keeps nothing has room for every microbatch
    held = (memory_limit * (1 + 1e-9))[kept] / need[kept] * chunks
    room = int(held.min(initial=microbatches * chunks))
    orders = (
        warmup_orders(index, room) if chunks == 1 else v_orders(index, min(room, 2 * program.ranks))
    )
    placement = _Placement(program, memory_limit)
    found = placement.best(orders, iterations, seed)
    if found is None:  # no order of the family fits; list scheduling admits what does
        listed = list_schedule(program, None, Rules(memory_limit=memory_limit)).order
        orders = iter([listed[program.kind[listed] != WEIGHT]])
        found = placement.best(orders, iterations, seed)
    assert found is not None
    return found


class _Placement:
    """Hold a program's arrays in the form that placing weight gradients needs."""

    def __init__(self, program: Program, memory_limit: Float[np.ndarray, " ranks"]) -> None:
        self._program = program
        returning = (program.kind == BACKWARD) & (program.stage >= program.ranks)
        kind_of = np.where(returning, 2, program.kind)
        sizes = np.bincount(program.rank, minlength=program.ranks)
        self._base = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self._fixed = (
            program.rank, kind_of, program.duration, program.acquired, program.released,
            program.dep_ptr, program.dep, program.lag, weight_gradients(program),
            memory_limit * (1 + 1e-9), self._base,
        )  # fmt: skip
        self._unit = float(program.duration[program.kind == WEIGHT].mean())
        self._idle = np.empty(program.ranks)
        self._end = np.empty(program.operations)
        self._sequence = np.empty(program.operations, dtype=np.int64)

    def _placed(self, setting: _Setting) -> _Setting:
        out = (self._idle, self._end, self._sequence)
        span = place_weight_gradients(setting.order, *self._fixed, *setting[2:], *out)
        return setting._replace(span=float(span))

    def _span(self, order: Int[np.ndarray, " _"]) -> float:
        """Span of an order under two rules: fill every gap, or idle as the idlest rank does."""
        rule = np.zeros(self._program.operations, dtype=np.int8)
        none, unit = np.zeros(self._program.ranks), np.zeros(3)
        return min(
            self._placed(_Setting(0.0, order, none, follow, unit, rule)).span
            for follow in (False, True)
        )

    def _fits(self, order: Int[np.ndarray, " _"]) -> bool:
        return bool(np.isfinite(self._span(order)))

    def _settings(self, order: Int[np.ndarray, " _"]) -> Iterator[_Setting]:
        """Place weight gradients under every setting, and with budgets learnt from idle times."""
        rule = np.zeros(self._program.operations, dtype=np.int8)
        straight = self._program.stage.max() < self._program.ranks
        for share in product(SHARES, repeat=2 if straight else 3):
            least = np.array((*share, 1.0)[:3])
            for budget in BUDGETS:
                each = np.full(self._program.ranks, budget * self._unit)
                yield self._placed(_Setting(0.0, order, each, False, least, rule))
            followed = self._placed(_Setting(0.0, order, np.zeros_like(each), True, least, rule))
            while True:
                yield followed
                again = self._placed(followed._replace(budget=self._idle.max() - self._idle))
                if not again.span < followed.span:
                    break
                followed = again

    def best(
        self, orders: Iterator[Int[np.ndarray, " _"]], iterations: int, seed: int
    ) -> Schedule | None:
        """Try every setting on the promising orders, anneal the best few, return the best.

        None if no order keeps to the memory limit.
        """
        promising = [w for w in sorted(orders, key=self._span)[:PROMISING] if self._fits(w)]
        if not promising:
            return None
        tried = [setting for order in promising for setting in self._settings(order)]
        tried.sort(key=lambda setting: setting.span)
        best, floor = tried[0], float(self._program.work().max())
        for setting in tried[:4]:
            if best.span <= floor * (1 + 1e-12):
                break
            choice = setting.choice.copy()
            span = anneal_choices(
                setting.order, *self._fixed, *setting[2:5], choice, self._idle, self._end,
                self._sequence, iterations, 0.1 * self._unit, floor,
                np.random.default_rng(checks.integer("seed", seed, 0)),
            )  # fmt: skip
            if span < best.span:
                best = setting._replace(span=float(span), choice=choice)
        self._placed(best)
        return emulate_ranks(self._program, np.split(self._sequence, self._base[1:-1]))


@checked
def zb_1p(program: Program, *, iterations: int = 1500, seed: int = 0) -> Schedule:
    """Run ZB-H1: zero bubble within 1F1B's memory, ``P`` microbatches per rank."""
    return zero_bubble(
        program, _microbatches(program, program.ranks), iterations=iterations, seed=seed
    )


@checked
def zb_2p(program: Program, *, iterations: int = 1500, seed: int = 0) -> Schedule:
    """Run ZB-H2: zero bubble within ``2P`` microbatches per rank."""
    return zero_bubble(
        program, _microbatches(program, 2 * program.ranks), iterations=iterations, seed=seed
    )


@checked
def zb_v(program: Program, *, iterations: int = 1500, seed: int = 0) -> Schedule:
    """Run ZB-V: two chunks per rank in V order within ``P`` microbatches per rank."""
    return zero_bubble(
        program, _microbatches(program, program.ranks), iterations=iterations, seed=seed
    )


def _microbatches(program: Program, count: int) -> Float[np.ndarray, " ranks"]:
    return count * program.memory_need().max(axis=0)


@checked
def longest_span(schedule: Schedule) -> float:
    """Return the longest rank span, the step time that zero-bubble schedulers report."""
    return float(rank_spans(schedule).max())
