"""Held against what others measured: copies on an H100, and numbers from public threads."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from quire.checks import integer
from quire.serving.experiments.loading.settings import Case, mean_interval
from quire.serving.loading import (
    CopyTable,
    Engine,
    LoadingCosts,
    Requests,
    capacity,
    engine,
    piece_bytes,
    requests_from,
    serve,
)
from quire.serving.profiles.models import LLAMA_8B, ModelShape
from quire.serving.workload.mooncake import PrefixTrace

LAYOUTS = (
    ("16 tokens, K and V apart, layer by layer", 16, "half"),
    ("16 tokens, layer by layer", 16, "layer"),
    ("256 tokens, layer by layer", 256, "layer"),
    ("16 tokens, all layers together", 16, "block"),
    ("256 tokens, all layers together", 256, "block"),
    ("512 tokens, all layers together", 512, "block"),
)


@dataclass(frozen=True)
class PieceRow:
    """A load of some tokens in pieces of one size.

    Attributes
    ----------
    layout
        Of the cache.
    piece_kib, pieces
        Size and number of the pieces.
    seconds, gb_per_s
        What the copy takes by the measured table, and its rate.
    bandwidth_only_s
        What it would take at the largest piece's rate.
    """

    layout: str
    piece_kib: float
    pieces: int
    seconds: float
    gb_per_s: float
    bandwidth_only_s: float


def piece_rows(
    table: CopyTable, tokens: int = 20_000, model: ModelShape = LLAMA_8B
) -> list[PieceRow]:
    """Return what a load takes in each layout of the cache."""
    total = integer("tokens", tokens) * model.kv_bytes_per_token()
    best = max(table.bytes_per_s(size) for size in table.sizes)
    rows = []
    for name, block, layout in LAYOUTS:
        size = piece_bytes(model, block, layout)
        rows.append(
            PieceRow(
                name, size / 1024, -(-total // size), table.load_s(total, size),
                table.bytes_per_s(size) / 1e9, total / best,
            )
        )  # fmt: skip
    return rows


@dataclass(frozen=True)
class PieceErrorRow:
    """A measured piece against two models with two constants."""

    piece_kib: float
    measured_us: float
    longer_us: float
    sum_us: float


def piece_errors(
    table: CopyTable, call_s: float = 13.5e-6, bytes_per_s: float = 55e9
) -> list[PieceErrorRow]:
    """Return measured times of a piece beside max and sum of a call and the bytes' time."""
    return [
        PieceErrorRow(
            size / 1024, 1e6 * seconds, 1e6 * max(call_s, size / bytes_per_s),
            1e6 * (call_s + size / bytes_per_s),
        )
        for size, seconds in zip(table.sizes, table.seconds, strict=True)
    ]  # fmt: skip


@dataclass(frozen=True)
class PieceSystem:
    """One rate of requests on systems with other networks and other pieces, under sjf_total.

    Attributes
    ----------
    net_gb_per_s, layout, copy_gb_per_s
        The system.
    bottleneck, gain
        Its slowest stage, and the sum of the mean stages over the largest.
    on_time, mean_s
        Per cent on time and mean time to the first token, means over seeds.
    each
        Per cent on time, seed by seed.
    """

    net_gb_per_s: float
    layout: str
    copy_gb_per_s: float
    bottleneck: str
    gain: float
    on_time: float
    mean_s: float
    each: tuple[float, ...]


def piece_systems(
    case: Case,
    table: CopyTable,
    nets_gb_per_s: Sequence[float],
    seeds: int,
    seed: int,
    load: float = 0.9,
    quantum_tokens: int = 512,
) -> list[PieceSystem]:
    """Return what the size of a piece does at a rate that all of them sustain.

    The rate is ``load`` of the least capacity of all systems; deadlines are the case's own, by its
    own network and copy.
    """
    layouts = [LAYOUTS[i] for i in (5, 1)]
    rates = [table.bytes_per_s(piece_bytes(LLAMA_8B, b, way)) for _, b, way in layouts]
    systems = [
        (net, name, replace(case.costs, net_bytes_per_s=net * 1e9, copy_bytes_per_s=rate))
        for net in nets_gb_per_s
        for (name, _, _), rate in zip(layouts, rates, strict=True)
    ]
    found = [capacity(case.requests, costs) for _, _, costs in systems]
    rate = load * min(each.decoupled for each in found)
    coming = [
        case.requests.retimed(rate, seed + k).due_after(case.costs, case.factor, case.floor_s)
        for k in range(integer("seeds", seeds))
    ]
    rows = []
    for (net, name, costs), at in zip(systems, found, strict=True):
        made = Engine(quantum_tokens=quantum_tokens)
        served = [serve(each, costs, made, "sjf_total") for each in coming]
        each = tuple(s.attainment for s in served)
        rows.append(
            PieceSystem(
                net, name, costs.copy_bytes_per_s / 1e9, at.bottleneck, at.gain,
                float(np.mean(each)), float(np.mean([s.ttft_s.mean() for s in served])), each,
            )
        )  # fmt: skip
    return rows


def cached_queries_s(
    queries: int = 10, tokens: int = 20_000, bytes_per_s: float = 3.5e9, kv_bytes: float = 131_072
) -> float:
    """Return when the last of some cached queries that come together is loaded (LMCache #1513)."""
    costs = LoadingCosts(bytes_per_s, 1e15, kv_bytes)
    n = integer("queries", queries)
    coming = Requests(np.zeros(n), np.full(n, tokens - 1), np.ones(n))
    return float(serve(coming, costs).net_s.max())


def full_hit_s(
    costs: LoadingCosts, tokens: int = 65_536, recompute_s: float = 12.0, block: int = 256
) -> tuple[float, float]:
    """Return the time to the first token of a full hit, and the factor of the device (llm-d #559).

    Parameters
    ----------
    costs
        Of the storage; its device is scaled until ``tokens`` take ``recompute_s``.
    tokens
        Of the prompt.
    recompute_s
        What computing the prompt takes.
    block
        The last block of so many tokens is computed.
    """
    device = costs.compute
    factor = recompute_s / float(device.prefill_s(0, tokens)[0])
    slow = replace(
        device, fixed_s=factor * device.fixed_s, token_s=factor * device.token_s,
        pair_s=factor * device.pair_s,
    )  # fmt: skip
    one = Requests(np.zeros(1), [tokens - block], [block])
    return float(serve(one, replace(costs, compute=slow)).first_s[0]), factor


@dataclass(frozen=True)
class PrefetchRow:
    """Prefetching against loads on the critical path, by what the host's memory keeps.

    Attributes
    ----------
    near
        Share of all blocks that the host's memory can hold.
    hits_near
        Share of the cached tokens that are found there.
    coupled_s, decoupled_s
        Median time to the first token of E0 and E2, both first come first served.
    reduction, low, high
        Of the median, in per cent, with its interval over seeds.
    """

    near: float
    hits_near: float
    coupled_s: float
    decoupled_s: float
    reduction: float
    low: float
    high: float


def prefetch_rows(
    trace: PrefixTrace,
    costs: LoadingCosts,
    nears: Sequence[float],
    count: int,
    seeds: int,
    seed: int,
    load: float = 0.7,
    least_hit: float = 0.5,
) -> list[PrefetchRow]:
    """Return how much the median TTFT falls by loading ahead, from a disk behind a near memory.

    The rate is one for all: ``load`` of what the coupled engine sustains with no near memory.

    Parameters
    ----------
    trace, costs
        Requests, and a system whose network stands for the disk.
    nears
        Shares of all blocks that the near memory holds.
    count
        Requests, of those with ``least_hit`` cached or more.
    seeds, seed
        How many, and the first one.
    load, least_hit
        See above.
    """
    every = requests_from(trace)
    able = np.flatnonzero(every.loaded / trace.n_in >= least_hit)[: integer("count", count)]
    assert trace.requests.blocks is not None
    blocks = np.unique(trace.requests.blocks).size
    rate = load * capacity(every.select(able), costs).coupled
    rows = []
    for near in nears:
        some = requests_from(trace, near_blocks=int(near * blocks)).select(able)
        medians = []
        for k in range(integer("seeds", seeds)):
            coming = some.retimed(rate, seed + k)
            medians.append(
                [float(np.median(serve(coming, costs, engine(n)).ttft_s)) for n in ("E0", "E2")]
            )
        falls = [100 * (1 - b / a) for a, b in medians]
        mean = np.mean(medians, axis=0)
        rows.append(
            PrefetchRow(
                near, float(some.local.sum() / some.loaded.sum()), float(mean[0]), float(mean[1]),
                *mean_interval(falls),
            )
        )  # fmt: skip
    return rows
