"""Which plan a model gets: segments, pieces and layers chosen on validation batches.

The paper's abstract names the three choices; how it makes them is not public. Here each is tried on
batches that are not judged afterwards, by a short search.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import numpy as np
from jaxtyping import Float

from quire import checks
from quire.pipeline.schedules.list_scheduling import ListScheduler, Rules
from quire.pipeline.schedules.segments import (
    Plan,
    balanced_plan,
    balancing_piece_tokens,
    segmented_program,
)
from quire.pipeline.search.rankings import swap_search
from quire.pipeline.workload.batches import Microbatch
from quire.pipeline.workload.costs import Hardware
from quire.pipeline.workload.modules import Model
from quire.signatures import checked

BALANCED = 0
"""Pieces of about a slice of the last module, see :func:`balancing_piece_tokens`."""
FIRST_PARTS, LAST_PARTS = (1, BALANCED, 2), (1, 2)
"""Pieces tried: a mean microbatch's items of a module whole, balanced or in halves."""


@dataclass(frozen=True)
class Validation:
    """Batches on which plans are compared, and the bytes per rank allowed for each of them."""

    batches: tuple[tuple[Microbatch, ...], ...]
    memory_limits: tuple[Float[np.ndarray, " ranks"], ...]


@dataclass(frozen=True)
class PlanTrial:
    """One plan tried: segments per module, pieces of a mean microbatch, mean step in seconds."""

    segments: tuple[int, ...]
    parts: tuple[int, ...]
    moved_layers: int
    seconds: float
    plan: Plan


@dataclass(frozen=True)
class PlanChoice:
    """The best plan found with segments alone, with pieces as well, and with layers moved, too."""

    segments: PlanTrial
    pieces: PlanTrial
    layers: PlanTrial


@checked
def mean_step(
    model: Model, plan: Plan, hardware: Hardware, validation: Validation, evaluations: int
) -> float:
    """Average a short search's makespan over the validation batches, in seconds."""
    total = 0.0
    for batch, limit in zip(validation.batches, validation.memory_limits, strict=True):
        program = segmented_program(model, batch, plan, hardware)
        scheduler = ListScheduler(program, Rules(memory_limit=limit))
        # the bound of the search is not needed to compare plans
        total += swap_search(scheduler, evaluations=evaluations, bound=0.0).schedule.makespan
    return total / len(validation.batches)


@checked
def choose_plan(
    model: Model,
    ranks: int,
    hardware: Hardware,
    validation: Validation,
    *,
    depth: int,
    evaluations: int = 100,
    keep: int = 4,
    layer_moves: int = 4,
) -> PlanChoice:
    """Choose segments, pieces and layers of at most ``depth`` segments in all.

    Every combination of segments and pieces is tried on one validation batch with a short search;
    the best ``keep`` with whole microbatches and with pieces are tried on all with ``evaluations``
    list schedules. Then single layers move from the busiest rank to the others as long as the mean
    step gets shorter, ``layer_moves`` times at most.

    Raises
    ------
    ValueError
        If ``depth`` is less than the number of modules, or a module cannot fill its slices.
    """
    depth = checks.integer("depth", depth, len(model.modules))  # a segment per module
    most = [min(module.layers // ranks, depth) for module in model.modules]
    counts = [c for c in product(*(range(1, k + 1) for k in most)) if sum(c) <= depth]
    if not counts:
        raise ValueError(f"ranks = {ranks}: a module of {model.name} has fewer layers")
    whole = (1,) * len(model.modules)
    cuts = list(product(*[FIRST_PARTS] * (len(whole) - 1), LAST_PARTS))
    first = Validation(validation.batches[:1], validation.memory_limits[:1])

    @cache
    def laid_out(at: tuple[tuple[int, ...], tuple[int, ...]]) -> Plan:
        plan = balanced_plan(model, ranks, at[0])
        return replace(plan, piece_tokens=piece_caps(model, validation, plan, hardware, at[1]))

    def trial(at: tuple[tuple[int, ...], tuple[int, ...]], on: Validation, n: int) -> PlanTrial:
        plan = laid_out(at)
        return PlanTrial(*at, 0, mean_step(model, plan, hardware, on, n), plan)

    def best(candidates: list[tuple[tuple[int, ...], tuple[int, ...]]]) -> PlanTrial:
        tried = sorted(
            (trial(at, first, evaluations // 3) for at in candidates), key=lambda t: t.seconds
        )
        again = [trial((t.segments, t.parts), validation, evaluations) for t in tried[:keep]]
        return min(again, key=lambda t: t.seconds)

    segments = best([(count, whole) for count in counts])
    pieces = best([at for at in product(counts, cuts) if at[1] != whole])
    pieces = min(segments, pieces, key=lambda t: t.seconds)
    layers = pieces
    for _ in range(layer_moves):
        moved = [
            replace(
                layers,
                plan=plan,
                moved_layers=layers.moved_layers + 1,
                seconds=mean_step(model, plan, hardware, validation, evaluations),
            )
            for plan in _layer_moves(model, layers.plan, hardware, validation)
        ]
        if not moved or min(t.seconds for t in moved) >= layers.seconds:
            break
        layers = min(moved, key=lambda t: t.seconds)
    return PlanChoice(segments, pieces, layers)


@checked
def piece_caps(
    model: Model, validation: Validation, plan: Plan, hardware: Hardware, parts: Sequence[int]
) -> tuple[float, ...]:
    """Tokens per piece that cut a mean validation microbatch's items into ``parts`` (1: never)."""
    rows = [microbatch for batch in validation.batches for microbatch in batch]
    balanced: tuple[float, ...] = ()
    if BALANCED in parts:
        balanced = balancing_piece_tokens(model, rows, plan, hardware)
    return tuple(
        np.inf
        if part == 1
        else balanced[u]
        if part == BALANCED
        else float(np.mean([mb.lengths[u].sum() for mb in rows])) / part
        for u, part in enumerate(parts)
    )


def _layer_moves(
    model: Model, plan: Plan, hardware: Hardware, validation: Validation
) -> Iterator[Plan]:
    """Yield the plan with one layer of one module moved from the busiest rank to another."""
    work = sum(
        segmented_program(model, batch, plan, hardware).work() for batch in validation.batches
    )
    busiest = int(np.argmax(work))
    for u, layers in enumerate(plan.layers):
        own = np.arange(busiest, len(layers), plan.ranks)
        source = own[np.argmax(layers[own])]
        if layers[source] < 2:
            continue
        for rank in range(plan.ranks):
            if rank != busiest:
                other = np.arange(rank, len(layers), plan.ranks)
                moved = layers.copy()
                moved[source] -= 1
                moved[other[np.argmin(layers[other])]] += 1
                yield replace(plan, layers=(*plan.layers[:u], moved, *plan.layers[u + 1 :]))
