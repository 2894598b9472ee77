"""Dedicated segments and modality-specific sub-microbatches: the step that DIP schedules.

Every module is cut into segments of one slice per rank, so each segment crosses all ranks and is
balanced by construction; a microbatch's images (or clips) are cut into pieces that travel alone.
Both are stated in the paper's abstract; how slices and pieces are sized is ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from quire import checks
from quire.pipeline.program import Chain, Program, assemble
from quire.pipeline.workload.batches import Microbatch, deal_items
from quire.pipeline.workload.costs import Hardware, hop_seconds, layer_costs
from quire.pipeline.workload.modules import Model
from quire.signatures import checked


@dataclass(frozen=True)
class Plan:
    """How a model is laid over ranks.

    ``layers[u]`` are the layers of each slice of module ``u``, segment after segment (``K_u · P``
    entries), ``recompute[u]`` which slices recompute activations, ``piece_tokens[u]`` the tokens
    above which a microbatch's items of that module are cut into pieces (infinity: never).
    """

    ranks: int
    layers: tuple[Int[np.ndarray, " _"], ...]
    recompute: tuple[np.ndarray, ...]
    piece_tokens: tuple[float, ...] = field(default=())

    def first_stage(self, module: int) -> int:
        """Global number of the module's first slice."""
        return sum(len(layers) for layers in self.layers[:module])


@checked
def balanced_plan(
    model: Model, ranks: int, segments: Sequence[int], piece_tokens: Sequence[float] | None = None
) -> Plan:
    """Plan with ``segments[u]`` segments for module ``u`` and layers spread as evenly as they go.

    Slices that get one layer more are dealt out to ranks in turn, so that no rank collects them
    all.

    Raises
    ------
    ValueError
        If a module has fewer layers than slices, or the lengths do not match the modules.
    """
    ranks = checks.integer("ranks", ranks)
    if len(segments) != len(model.modules):
        raise ValueError(
            f"segments = {tuple(segments)}: give one number per module of {model.name}"
        )
    caps = [np.inf] * len(model.modules) if piece_tokens is None else list(piece_tokens)
    if len(caps) != len(model.modules) or not all(cap > 0 for cap in caps):
        raise ValueError(f"piece_tokens = {caps}: give one positive number per module")
    layers, dealt = [], 0
    for module, count in zip(model.modules, segments, strict=True):
        slices = count * ranks
        if count < 1 or module.layers < slices:
            raise ValueError(
                f"module {module.name!r} has {module.layers} layers, "
                f"cannot fill {ranks}·{count} slices"
            )
        each = np.full(slices, module.layers // slices)
        extra = module.layers % slices
        each[(dealt + np.arange(extra)) % slices] += 1
        dealt += extra
        layers.append(each)
    recompute = tuple(np.zeros(len(each), dtype=bool) for each in layers)
    return Plan(ranks, tuple(layers), recompute, tuple(caps))


def cut_items(
    lengths: Float[np.ndarray, " items"], piece_tokens: float
) -> list[Float[np.ndarray, " _"]]:
    """Cut items into ``ceil(tokens / piece_tokens)`` pieces, longest item to the lightest piece."""
    if not len(lengths):
        return []
    return deal_items(
        lengths, max(1, min(int(np.ceil(lengths.sum() / piece_tokens)), len(lengths)))
    )


def _slice_costs(
    model: Model, plan: Plan, hardware: Hardware, split: bool, u: int,
    pieces: list[Float[np.ndarray, " _"]],
) -> Iterator[tuple[Any, ...]]:  # fmt: skip
    """Yield each piece's ``forward``, ``backward``, ``weight``, ``memory`` and ``hop``."""
    module, recompute = model.modules[u], plan.recompute[u][:, None]
    costs = layer_costs(module, pieces, hardware)[:, None]
    if recompute.any():
        again = layer_costs(module, pieces, hardware, recompute=True)[:, None]
        costs = np.where(recompute, again, costs)
    forward, backward, weight, memory = np.moveaxis(
        plan.layers[u].astype(float)[:, None] * costs, 2, 0
    )
    if not split:
        backward, weight = backward + weight, np.zeros_like(weight)
    hops = [hop_seconds(module, float(piece.sum()), hardware) for piece in pieces]
    yield from zip(forward, backward, weight, memory, hops, strict=True)


@checked
def segmented_program(
    model: Model,
    batch: Sequence[Microbatch],
    plan: Plan,
    hardware: Hardware,
    *,
    split_backward: bool = False,
) -> Program:
    """Program of one step: every module in its own segments, every piece a chain.

    All pieces of one module feed every chain of the next module of the same microbatch: the
    language model needs all vision pieces, and a vision piece's backward starts when the language
    model's has left rank 0. A microbatch without items of a module has no chain there.

    Raises
    ------
    ValueError
        If the batch is empty, or a microbatch holds nothing at all.
    """
    if not batch:
        raise ValueError("batch is empty: give at least one microbatch")
    cut = [
        [cut_items(*pair) for pair in zip(microbatch.lengths, plan.piece_tokens, strict=True)]
        for microbatch in batch
    ]
    modules = range(len(model.modules))
    costs = [
        _slice_costs(model, plan, hardware, split_backward, u, [p for row in cut for p in row[u]])
        for u in modules
    ]
    paths = [tuple(range(plan.ranks)) * (len(layers) // plan.ranks) for layers in plan.layers]
    stages = [plan.first_stage(u) for u in modules]
    chains: list[Chain] = []
    for i, row in enumerate(cut):
        feeders: tuple[int, ...] = ()
        for u, pieces in enumerate(row):
            first = len(chains)
            for k in range(len(pieces)):
                forward, backward, weight, memory, hop = next(costs[u])
                chains.append(
                    Chain(
                        i, u, k, stages[u], paths[u], forward, backward, weight, memory, hop,
                        feeders,
                    )
                )  # fmt: skip
            if pieces:
                feeders = tuple(range(first, len(chains)))
        if not feeders:
            raise ValueError(f"microbatch {i} holds no items: leave it out")
    return assemble(chains, plan.ranks)


@checked
def balancing_piece_tokens(
    model: Model, batch: Sequence[Microbatch], plan: Plan, hardware: Hardware
) -> tuple[float, ...]:
    """Tokens per piece at which a slice of each module takes about as long as one of the last.

    The reference is the last module's mean slice over the batch; the last module stays whole.
    """
    last = len(model.modules) - 1
    reference = _mean_seconds(model, batch, plan, hardware, last) / len(plan.layers[last])
    caps = []
    for u in range(last):
        tokens = np.mean([mb.lengths[u].sum() for mb in batch])
        slice_seconds = _mean_seconds(model, batch, plan, hardware, u) / len(plan.layers[u])
        caps.append(float(tokens * reference / slice_seconds) if slice_seconds > 0 else np.inf)
    return (*caps, np.inf)


def _mean_seconds(
    model: Model, batch: Sequence[Microbatch], plan: Plan, hardware: Hardware, u: int
) -> float:
    module = model.modules[u]
    costs = layer_costs(module, [mb.lengths[u] for mb in batch if len(mb.lengths[u])], hardware)
    return module.layers * sum(costs[:, 0].tolist()) / len(batch)
