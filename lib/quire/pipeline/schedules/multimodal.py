"""Published ideas for multimodal pipelines as baselines, each reduced to its scheduling rule.

They are *like* the systems whose idea they take, not those systems: every one runs through the same
costs, memory limit and emulator as the schedules that they are compared with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from quire import checks
from quire.pipeline.schedule import Schedule
from quire.pipeline.schedules.list_scheduling import ListScheduler, Rules, ranked_key
from quire.pipeline.schedules.partition import (
    layer_times,
    mean_layer_seconds,
    optimal_cut,
    static_program,
)
from quire.pipeline.schedules.segments import Plan, segmented_program
from quire.pipeline.schedules.static import gpipe, interleaved, one_f_one_b
from quire.pipeline.schedules.zero_bubble import zero_bubble
from quire.pipeline.workload.batches import Microbatch, smaller_microbatches
from quire.pipeline.workload.costs import Hardware
from quire.pipeline.workload.modules import Model
from quire.signatures import checked

ZERO_BUBBLE = {"ZB-1P": 1, "ZB-2P": 2, "ZB-V": 1}
"""Zero-bubble schedules by their published names, and their memory in ``P`` microbatches."""


@checked
def static_schedule(
    model: Model,
    batch: Sequence[Microbatch],
    history: Sequence[Microbatch],
    ranks: int,
    hardware: Hardware,
    *,
    chunks: int = 1,
    parts: int = 1,
    reorder: bool = False,
) -> Schedule:
    """Run 1F1B, or interleaved for ``chunks > 1``, on the optimal cut for the mean of ``history``.

    The items of every microbatch are dealt into ``parts`` smaller ones. With ``reorder`` the
    microbatches also run largest first and smallest first, and the best of the three orders counts.

    Raises
    ------
    ValueError
        If the interleaved schedule's microbatches are not a multiple of ranks, or ``parts < 1``.
    """
    if parts > 1:
        batch, history = (smaller_microbatches(given, parts) for given in (batch, history))
    cut = _mean_cut(model, history, chunks * ranks, hardware)
    return _best_order(model, batch, cut, ranks, hardware, reorder)


@checked
def static_gpipe(
    model: Model,
    batch: Sequence[Microbatch],
    history: Sequence[Microbatch],
    ranks: int,
    hardware: Hardware,
) -> Schedule:
    """GPipe on the cut that is optimal for the mean of ``history``; it keeps every microbatch."""
    cut = _mean_cut(model, history, ranks, hardware)
    return gpipe(static_program(model, batch, cut, ranks, hardware))


@checked
def static_zero_bubble(
    model: Model,
    batch: Sequence[Microbatch],
    history: Sequence[Microbatch],
    ranks: int,
    hardware: Hardware,
    name: str,
    memory_limit: Float[np.ndarray, " ranks"],
) -> Schedule:
    """Run a zero-bubble schedule (a name of ``ZERO_BUBBLE``) on the mean batch's optimal cut.

    ZB-V folds two chunks of the model onto each rank. The chunks differ in size, so it gets
    ``memory_limit`` (bytes) where that is more than the ``P`` microbatches of its definition. Every
    schedule is found anew for this very batch, which the published schedulers, made for equal
    microbatches, do not do: generous on purpose.

    Raises
    ------
    ValueError
        If there is no zero-bubble schedule of that name.
    """
    if name not in ZERO_BUBBLE:
        raise ValueError(f"schedule {name!r} is unknown: choose one of {', '.join(ZERO_BUBBLE)}")
    folded = name == "ZB-V"
    cut = _mean_cut(model, history, ranks * (2 if folded else 1), hardware)
    program = static_program(
        model, batch, cut, ranks, hardware, split_backward=True,
        placement="v" if folded else "loop",
    )  # fmt: skip
    own = ZERO_BUBBLE[name] * ranks * program.memory_need().max(axis=0)
    return zero_bubble(program, np.maximum(own, memory_limit) if folded else own)


def _mean_cut(
    model: Model, history: Sequence[Microbatch], stages: int, hardware: Hardware
) -> Int[np.ndarray, " _"]:
    """Return the cut into ``stages`` that is optimal for the mean microbatch of ``history``."""
    return optimal_cut(mean_layer_seconds(layer_times(model, history, hardware)), stages)


def _best_order(
    model: Model,
    batch: Sequence[Microbatch],
    cut: Int[np.ndarray, " boundaries"],
    ranks: int,
    hardware: Hardware,
    reorder: bool,
) -> Schedule:
    program = static_program(model, batch, cut, ranks, hardware)
    work = np.bincount(program.microbatch, weights=program.duration)
    orders = [np.arange(len(batch))]
    if reorder:
        orders += [np.argsort(-work, kind="stable"), np.argsort(work, kind="stable")]
    schedule = one_f_one_b if len(cut) - 1 == ranks else interleaved
    return min(
        (schedule(program, microbatch_order=order) for order in orders), key=lambda s: s.makespan
    )


@checked
def optimus_like(
    model: Model, batch: Sequence[Microbatch], plan: Plan, hardware: Hardware, rules: Rules
) -> Schedule:
    """Fill the language model's bubbles with encoders, and leave its own order as it is.

    The last module runs in the order of its own interleaved schedule and takes precedence; all
    other modules, spread over every rank, take what is left, whole microbatches at a time.
    """
    program = segmented_program(model, batch, _whole(plan), hardware)
    last = len(model.modules) - 1
    alone = Model(model.name, model.modules[last:])
    text = [Microbatch(microbatch.lengths[last:]) for microbatch in batch]
    own_plan = Plan(plan.ranks, plan.layers[last:], plan.recompute[last:], (np.inf,))
    own = segmented_program(alone, text, own_plan, hardware)
    order = interleaved(own) if len(batch) % plan.ranks == 0 else ListScheduler(own).run(
        ranked_key(own, own.microbatch.astype(float))
    )  # fmt: skip
    place = {
        (int(own.microbatch[i]), int(own.stage[i]), int(own.kind[i])): position
        for position, i in enumerate(np.argsort(order.start, kind="stable"))
    }
    first = plan.first_stage(last)
    priority = np.array(
        [
            place[i, stage - first, kind] if u == last else own.operations + i
            for i, u, stage, kind in zip(
                program.microbatch.tolist(),
                program.module.tolist(),
                program.stage.tolist(),
                program.kind.tolist(),
                strict=True,
            )
        ],
        dtype=float,
    )
    scheduler = ListScheduler(program, replace(rules, backward_first=False))
    return scheduler.run(ranked_key(program, priority))


def _whole(plan: Plan) -> Plan:
    return replace(plan, piece_tokens=(np.inf,) * len(plan.layers))


@checked
def disttrain_like(
    model: Model,
    batch: Sequence[Microbatch],
    history: Sequence[Microbatch],
    ranks: int,
    hardware: Hardware,
) -> Schedule:
    """Place encoder and language model on disjoint ranks, and reorder the microbatches.

    The first module gets the number of ranks at which the slowest stage of the mean batch is
    fastest, then 1F1B runs over all ranks with the best of three microbatch orders.

    Raises
    ------
    ValueError
        If there are fewer than two ranks.
    """
    ranks = checks.integer("ranks", ranks, 2)
    seconds = mean_layer_seconds(layer_times(model, history, hardware))
    first = model.modules[0].layers
    cuts = [
        np.concatenate(
            [optimal_cut(seconds[:first], k)[:-1], first + optimal_cut(seconds[first:], ranks - k)]
        )
        for k in range(max(1, ranks - len(seconds) + first), min(ranks, first + 1))
    ]
    cut = min(cuts, key=lambda c: float(np.add.reduceat(seconds, c[:-1]).max()))
    return _best_order(model, batch, cut, ranks, hardware, True)


@checked
def fsdp_like_seconds(
    model: Model, batch: Sequence[Microbatch], ranks: int, hardware: Hardware
) -> float:
    """Step time without a pipeline: every rank a data-parallel replica with sharded parameters.

    Microbatches go to ranks longest first; each needs the parameters gathered for forward and for
    backward and the gradients scattered (bf16), perfectly overlapped with compute. Generous on
    purpose.
    """
    times = layer_times(model, batch, hardware)[:, :, :3].sum(axis=(1, 2))
    sent = 3 * 2.0 * model.parameters * (ranks - 1) / ranks / hardware.tensor_parallel
    each = np.maximum(times, sent / hardware.bandwidth)
    load: Float[np.ndarray, " ranks"] = np.zeros(ranks)
    for seconds in np.sort(each)[::-1]:
        load[np.argmin(load)] += seconds
    return float(load.max())
