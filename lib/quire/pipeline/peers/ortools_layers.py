"""Layers per slice and recomputation: the third level of the search, as an integer program.

The level's existence (model-layer tuning) is the paper's; the formulation is ours. It needs the
package ``ortools``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from quire.pipeline.failures import InfeasibleMemory
from quire.pipeline.schedule import finite_limit
from quire.pipeline.schedules.segments import Plan
from quire.pipeline.workload.batches import Microbatch
from quire.pipeline.workload.costs import Hardware, layer_cost
from quire.pipeline.workload.modules import Model
from quire.signatures import checked


@checked
def tune_plan(
    model: Model,
    batch: Sequence[Microbatch],
    plan: Plan,
    hardware: Hardware,
    in_flight: Float[np.ndarray, " ranks"],
    memory_limit: Float[np.ndarray, " ranks"],
    *,
    effort: float = 5.0,
    spread: int = 2,
) -> Plan:
    """Choose layers per rank and recomputation so that the busiest rank has the least work.

    ``in_flight[r]`` is how many whole microbatches rank ``r`` keeps at its peak in the current
    order; the plan's activations for that many mean microbatches must fit ``memory_limit`` (bytes).
    Slices of one module keep at least one layer, a rank's segments of a module share its layers
    evenly, and no rank strays more than ``spread`` layers from an even share of a module, or
    segments would no longer be balanced.

    ``effort`` bounds the solver's deterministic time (about seconds); if it runs out with nothing
    found, the plan comes back unchanged.

    Raises
    ------
    ValueError
        If a limit or what is in flight is not one finite number per rank.
    InfeasibleMemory
        If not even full recomputation fits.
    """
    memory_limit = finite_limit(memory_limit, plan.ranks)
    if not (np.shape(in_flight) == (plan.ranks,) and np.isfinite(in_flight).all()):
        raise ValueError(f"in_flight = {in_flight}: give finite microbatches, one per rank")
    from ortools.sat.python import cp_model

    ranks = plan.ranks
    program = cp_model.CpModel()
    horizon = 10**9
    busiest = program.new_int_var(0, horizon, "busiest")
    work: list[Any] = [0] * ranks
    kept: list[Any] = [0] * ranks
    scale, unit = _scales(model, batch, hardware, memory_limit)
    layers, again = [], []
    for u, module in enumerate(model.modules):
        pass_time, extra, plain, lean = _mean_costs(model, batch, hardware, u)
        low = max(len(plan.layers[u]) // ranks, module.layers // ranks - spread)
        high = -(-module.layers // ranks) + spread
        count = [program.new_int_var(low, high, f"n{u}_{r}") for r in range(ranks)]
        redo = [program.new_int_var(0, module.layers, f"x{u}_{r}") for r in range(ranks)]
        program.add(sum(count) == module.layers)
        for r in range(ranks):
            program.add(redo[r] <= count[r])
            work[r] += count[r] * round(pass_time * scale) + redo[r] * round(extra * scale)
            saved = int((plain - lean) * in_flight[r] / unit)
            kept[r] += count[r] * int(np.ceil(plain * in_flight[r] / unit)) - redo[r] * saved
        layers.append(count)
        again.append(redo)
    for r in range(ranks):
        program.add(work[r] <= busiest)
        program.add(kept[r] <= int(memory_limit[r] / unit))
    program.minimize(busiest)
    solver = cp_model.CpSolver()
    solver.parameters.max_deterministic_time = effort
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    status = solver.solve(program)
    if status == cp_model.UNKNOWN:
        return plan
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        least = sum(
            _mean_costs(model, batch, hardware, u)[3] * np.ceil(module.layers / ranks)
            for u, module in enumerate(model.modules)
        )
        rank = int(np.argmax(in_flight / memory_limit))
        raise InfeasibleMemory(rank, float(least * in_flight[rank]), float(memory_limit[rank]))
    dealt = [_spread([solver.value(v) for v in count], len(each) // ranks)
              for count, each in zip(layers, plan.layers, strict=True)]  # fmt: skip
    redone = [
        _marked(each, [solver.value(v) for v in redo])
        for each, redo in zip(dealt, again, strict=True)
    ]
    return replace(plan, layers=tuple(dealt), recompute=tuple(redone))


def _scales(
    model: Model,
    batch: Sequence[Microbatch],
    hardware: Hardware,
    limit: Float[np.ndarray, " ranks"],
) -> tuple[float, float]:
    """Factors that turn seconds and bytes into integers of about five digits.

    Most optima are then proven in a tenth of a second. With seven the solver misses most of them,
    after seven times as long, for digits that the model of costs does not have.
    """
    total = sum(
        module.layers * _mean_costs(model, batch, hardware, u)[0]
        for u, module in enumerate(model.modules)
    )
    return 1e5 / total, float(limit.max()) / 1e5


def _mean_costs(
    model: Model, batch: Sequence[Microbatch], hardware: Hardware, u: int
) -> tuple[float, float, float, float]:
    """Mean per layer: pass seconds, extra to recompute, bytes kept plain and lean."""
    rows = []
    for microbatch in batch:
        if len(microbatch.lengths[u]):
            plain = layer_cost(model.modules[u], microbatch.lengths[u], hardware)
            lean = layer_cost(model.modules[u], microbatch.lengths[u], hardware, recompute=True)
            spent = plain.forward + plain.backward + plain.weight
            rows.append((spent, lean.backward - plain.backward, plain.memory, lean.memory))
    sums = np.array(rows or [(0.0,) * 4]).sum(axis=0) / len(batch)
    return float(sums[0]), float(sums[1]), float(sums[2]), float(sums[3])


def _spread(per_rank: list[int], segments: int) -> np.ndarray:
    """Deal each rank's layers to its segments as evenly as they go, segment after segment."""
    return np.array([(n + s) // segments for s in range(segments) for n in per_rank])


def _marked(layers: np.ndarray, redo: list[int]) -> np.ndarray:
    """Mark slices until each rank recomputes at least as many layers as chosen."""
    marked = np.zeros(len(layers), dtype=bool)
    for rank, wanted in enumerate(redo):
        for k in range(rank, len(layers), len(redo)):
            if wanted > 0:
                marked[k] = True
                wanted -= int(layers[k])
    return marked
