"""The best static partition: contiguous layers per stage, chosen once on the mean batch.

This is what a schedule that does not look at the data can do at best, and so the baseline that has
to be beaten: the cut is optimal (dynamic programming), not merely reasonable.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from quire.pipeline.program import Chain, Program, assemble
from quire.pipeline.schedules.static import stage_ranks
from quire.pipeline.workload.batches import Microbatch
from quire.pipeline.workload.costs import Hardware, hop_seconds, layer_costs
from quire.pipeline.workload.modules import Model
from quire.signatures import checked

LayerTimes = Float[np.ndarray, "microbatches layers costs"]
"""Forward, backward and weight seconds and bytes kept, per microbatch and layer."""


@checked
def layer_times(model: Model, batch: Sequence[Microbatch], hardware: Hardware) -> LayerTimes:
    """Compute the costs of every layer for every microbatch, modules one after the other.

    Raises
    ------
    ValueError
        If the batch is empty.
    """
    if not batch:
        raise ValueError("batch is empty: give at least one microbatch")
    table = np.zeros((len(batch), sum(module.layers for module in model.modules), 4))
    at = 0
    for module, column in zip(
        model.modules, zip(*(mb.lengths for mb in batch), strict=True), strict=True
    ):
        rows = [i for i, lengths in enumerate(column) if len(lengths)]
        costs = layer_costs(module, [column[i] for i in rows], hardware)
        table[rows, at : at + module.layers] = costs[:, None]
        at += module.layers
    return table


def optimal_cut(
    seconds: Float[np.ndarray, " layers"], stages: int
) -> Int[np.ndarray, " boundaries"]:
    """Boundaries of the contiguous cut into ``stages`` with the least largest stage (exact).

    Raises
    ------
    ValueError
        If there are fewer layers than stages, or a time is negative or not finite.
    """
    n = len(seconds)
    if stages < 1 or n < stages:
        raise ValueError(f"stages = {stages} for {n} layers: give 1 to {n}")
    if not (np.isfinite(seconds).all() and (seconds >= 0).all()):
        raise ValueError("seconds must be finite, zero or more, for every layer")
    total = np.concatenate([[0.0], np.cumsum(seconds)])
    # best[j]: smallest largest stage of the first j layers in k stages
    best, choice = np.concatenate([[0.0], np.full(n, np.inf)]), []
    between = total[None, :] - total[:, None]
    between[np.tril_indices(n + 1)] = np.inf
    for _ in range(stages):
        worst = np.maximum(best[:, None], between)
        choice.append(worst.argmin(axis=0))
        best = worst.min(axis=0)
    cut = [n]
    for k in range(stages - 1, -1, -1):
        cut.append(int(choice[k][cut[-1]]))
    return np.array(cut[::-1])


@checked
def static_program(
    model: Model,
    batch: Sequence[Microbatch],
    cut: Int[np.ndarray, " boundaries"],
    ranks: int,
    hardware: Hardware,
    *,
    split_backward: bool = False,
    placement: str = "loop",
) -> Program:
    """Program in which each microbatch is one chain through the stages of ``cut``.

    ``placement`` is a loop over the ranks or a ``v``, as in
    :func:`~quire.pipeline.schedules.static.staged_program`.

    Raises
    ------
    ValueError
        If the stages are not a multiple of ranks, or the placement is unknown.
    """
    stages = len(cut) - 1
    if stages % ranks:
        raise ValueError(f"cut has {stages} stages: give a multiple of ranks {ranks}")
    sums = np.add.reduceat(layer_times(model, batch, hardware), cut[:-1], axis=1)
    forward, backward, weight, memory = np.moveaxis(sums, 2, 0)
    if not split_backward:
        backward, weight = backward + weight, np.zeros_like(weight)
    path = stage_ranks(ranks, stages // ranks, placement)
    last = model.modules[-1]
    return assemble(
        [
            Chain(
                i, 0, 0, 0, path, forward[i], backward[i], weight[i], memory[i],
                hop_seconds(last, float(microbatch.lengths[-1].sum()), hardware),
            )
            for i, microbatch in enumerate(batch)
        ],
        ranks,
    )  # fmt: skip


def mean_layer_seconds(times: LayerTimes) -> Float[np.ndarray, " layers"]:
    """Seconds of one forward and backward through each layer, mean over microbatches."""
    return times[:, :, :3].sum(axis=2).mean(axis=0)
