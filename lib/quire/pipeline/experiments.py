"""One batch under every scheduler at the same memory: ablation and baselines side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float

from quire.pipeline.schedule import Schedule
from quire.pipeline.schedules.list_scheduling import ListScheduler, Rules
from quire.pipeline.schedules.multimodal import (
    disttrain_like,
    fsdp_like_seconds,
    optimus_like,
    static_gpipe,
    static_schedule,
    static_zero_bubble,
)
from quire.pipeline.schedules.partition import (
    layer_times,
    mean_layer_seconds,
    optimal_cut,
    static_program,
)
from quire.pipeline.schedules.segments import (
    balanced_plan,
    balancing_piece_tokens,
    segmented_program,
)
from quire.pipeline.search.rankings import RankedSteps, SearchResult, swap_search, tree_search
from quire.pipeline.workload.batches import Microbatch
from quire.pipeline.workload.costs import Hardware
from quire.pipeline.workload.modules import Model

BASELINES = (
    "static 1F1B",
    "GPipe",
    "1F1B, reordered",
    "static interleaved",
    "Optimus-like",
    "DistTrain-like",
    "FSDP-like",
)
STAGES = ("static 1F1B", "segments", "+ pieces", "+ search")
"""The ablation: each stage adds one idea to the one before."""
SPLIT = ("ZB-1P", "ZB-2P", "ZB-V", "+ split")
"""What takes weight gradients apart: the zero-bubble schedules, and the search with them apart."""


@dataclass(frozen=True)
class Comparison:
    """Step times of one batch.

    ``seconds`` per scheduler, ``schedules`` for all but FSDP (which has none), ``bounds`` proven
    for every schedule of the program that was searched (``+ search``, and ``+ split`` if asked
    for), ``memory_limit`` the bytes per rank that all but the static schedules keep to.
    """

    seconds: dict[str, float]
    schedules: dict[str, Schedule]
    bounds: dict[str, float]
    memory_limit: Float[np.ndarray, " ranks"]
    search: SearchResult

    @property
    def bound(self) -> float:
        """Lower bound on every segmented schedule with pieces and whole backwards."""
        return self.bounds["+ search"]

    def speed_up(self, baseline: str) -> float:
        """Throughput gained over a baseline, ``C_base / C_searched − 1``."""
        return self.seconds[baseline] / self.seconds["+ search"] - 1.0


def equal_memory(
    model: Model,
    batch: Sequence[Microbatch],
    history: Sequence[Microbatch],
    ranks: int,
    hardware: Hardware,
    slack: float,
) -> Float[np.ndarray, " ranks"]:
    """Bytes per rank that hold ``ranks + slack`` of the largest microbatches of the static cut."""
    if not slack >= 0:
        raise ValueError(f"slack = {slack}: give zero or more microbatches")
    cut = optimal_cut(mean_layer_seconds(layer_times(model, history, hardware)), ranks)
    need = static_program(model, batch, cut, ranks, hardware).memory_need().max()
    return np.full(ranks, (ranks + slack) * float(need))


def compare(
    model: Model,
    batch: Sequence[Microbatch],
    history: Sequence[Microbatch],
    ranks: int,
    hardware: Hardware,
    *,
    segments: Sequence[int],
    piece_tokens: Sequence[float] | None = None,
    chunks: int = 2,
    slack: float = 2.0,
    evaluations: int = 500,
    search: str = "mcts",
    split: bool = False,
    seed: int = 0,
) -> Comparison:
    """Schedule ``batch`` in every way; static cuts are made on ``history``.

    ``segments`` per module for the segmented schedules, ``piece_tokens`` per module where pieces
    are cut (None: a piece lasts about as long as a slice of the last module), ``chunks`` per rank
    for the static interleaved schedule (left out where microbatches are not a multiple of ranks).
    ``search`` is ``mcts`` or ``swap``; with ``split`` all of ``SPLIT`` run, too.

    Raises
    ------
    ValueError
        If the search is unknown, or as the schedulers say.
    """
    if search not in ("mcts", "swap"):
        raise ValueError(f"search = {search!r}: choose 'mcts' or 'swap'")
    limit = equal_memory(model, batch, history, ranks, hardware, slack)
    rules = Rules(memory_limit=limit)
    whole = balanced_plan(model, ranks, segments)
    caps = piece_tokens or balancing_piece_tokens(model, batch, whole, hardware)
    pieces = balanced_plan(model, ranks, segments, caps)
    fixed = (model, batch, history, ranks, hardware)
    schedules = {
        "static 1F1B": static_schedule(*fixed),
        "GPipe": static_gpipe(*fixed),
        "1F1B, reordered": static_schedule(*fixed, reorder=True),
        "Optimus-like": optimus_like(model, batch, whole, hardware, rules),
        "DistTrain-like": disttrain_like(*fixed),
    }
    if len(batch) % ranks == 0:
        schedules["static interleaved"] = static_schedule(*fixed, chunks=chunks, reorder=True)
    for name, plan in (("segments", whole), ("+ pieces", pieces)):
        steps = RankedSteps(ListScheduler(segmented_program(model, batch, plan, hardware), rules))
        schedules[name] = steps.schedule(steps.fifo())
    find = partial(
        tree_search if search == "mcts" else swap_search, evaluations=evaluations, seed=seed
    )
    found = find(steps.scheduler)
    schedules["+ search"], bounds = found.schedule, {"+ search": found.bound}
    if split:
        schedules |= {name: static_zero_bubble(*fixed, name, limit) for name in SPLIT[:3]}
        apart = segmented_program(model, batch, pieces, hardware, split_backward=True)
        freer = find(ListScheduler(apart, rules))
        schedules["+ split"], bounds["+ split"] = freer.schedule, freer.bound
    seconds = {name: schedule.makespan for name, schedule in schedules.items()}
    seconds["FSDP-like"] = fsdp_like_seconds(model, batch, ranks, hardware)
    return Comparison(seconds, schedules, bounds, limit, found)
