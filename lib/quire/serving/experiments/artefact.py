"""The artefact's figures: throughput and latency, power, prefix cache, and the average error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from quire.serving.engine.config import Replay, SchedulerConfig
from quire.serving.engine.fleet import round_robin, serve_pool, serve_split
from quire.serving.engine.instance import Instance
from quire.serving.engine.loops import LOG_COLUMNS
from quire.serving.experiments.replays import off
from quire.serving.links.collectives import Link
from quire.serving.power.node import NodePower, busy_stretches
from quire.serving.profiles.latency import LatencyTable
from quire.serving.workload.trace import Trace


@dataclass(frozen=True)
class CaseRow:
    """One case of Figure 8: throughput in tokens/s, times in ms, errors against vLLM, per cent."""

    case: str
    metric: str
    real: float | int
    ours: float | int
    error: float | int
    published: float | int


FIGURE_8 = ("throughput_tok_s", "mean_ttft_ms", "mean_tpot_ms")
SPLIT_PREFILL_NS, SPLIT_DECODE_NS = (700_000.0, 0.0), (0.0, 700.0)
"""What the artefact's code adds to a layer where prefill stands apart from decode: to each prefill,
and to each decode for every sequence (``o_proj_tp_pd_kv_prepare``); fixed and per token."""

NAMES = {"throughput_tok_s": "tokens/s", "mean_ttft_ms": "TTFT", "mean_tpot_ms": "TPOT"}


def figure_8(
    trace: Trace,
    profile: LatencyTable,
    config: SchedulerConfig,
    measured: Mapping[str, Mapping[str, Any]],
    parsed: Mapping[str, Mapping[str, Any]],
    link: Link,
) -> list[CaseRow]:
    """Return the dense cases: one instance, two, prefill and decode apart, and these slowed down.

    Parameters
    ----------
    trace, profile, config
        Requests, tables of one instance, scheduler.
    measured, parsed
        Figure 8's tables by case (SD, MD, PDD): vLLM's and the simulator's columns.
    link
        Over which KV crosses.
    """
    costs = profile.costs(config.budget, config.max_sequences)
    fresh = lambda role="mixed": Instance(trace, costs, config, role=role)  # noqa: E731
    kv = profile.model.kv_bytes_per_token(profile.tp)
    results = {
        "SD": serve_pool([fresh()]),
        "MD": serve_pool([fresh(), fresh()], round_robin()),
        "PDD": serve_split([fresh("prefill")], [fresh("decode")], link, kv_bytes_per_token=kv),
    }
    slower = [
        Instance(trace, replace(profile, residual_ns=each), config, role=role)
        for role, each in (("prefill", SPLIT_PREFILL_NS), ("decode", SPLIT_DECODE_NS))
    ]
    results["PDD, with the constants"] = serve_split(
        slower[:1], slower[1:], link, kv_bytes_per_token=kv
    )
    rows = []
    for case, result in results.items():
        served = result.served()
        ours = {
            "throughput_tok_s": served.tokens_per_s,
            "mean_ttft_ms": served.cell("TTFT", "mean"),
            "mean_tpot_ms": served.cell("TPOT", "mean"),
        }
        table, theirs = measured[case[:3].strip(",")], parsed[case[:3].strip(",")]
        at = list(table["framework"]).index("vLLM") if "framework" in table else 0
        for metric in FIGURE_8:
            real = float(table[metric][at])
            rows.append(
                CaseRow(
                    case, NAMES[metric], real, ours[metric], off(ours[metric], real),
                    off(float(theirs[metric][0]), real),
                )
            )  # fmt: skip
    return rows


@dataclass(frozen=True)
class PowerRow:
    """Watts in one second of Figure 6."""

    cards: int
    second: float | int
    measured: float | int
    ours: float | int
    published: float | int


def busy_of(log: np.ndarray) -> np.ndarray:
    """Return the stretches, seconds, in which an instance computed, from the log of its steps."""
    end = log[:, LOG_COLUMNS.index("end")]
    begin = log[:, LOG_COLUMNS.index("begin")]
    return busy_stretches(end, end - begin)


def figure_6(
    result: Replay, node: NodePower, cards: int, measured: Mapping[str, Any], parsed: Mapping
) -> list[PowerRow]:
    """Return the seconds that both series have, with our mean power of each.

    Parameters
    ----------
    result
        Of the pulses, with the log of every step.
    node
        The server.
    cards
        How many work together.
    measured, parsed
        Figure 6's series: the wattmeter's and the simulator's.
    """
    seconds = min(len(measured["time_s"]), len(parsed["time_s"]))
    at = np.asarray(measured["time_s"][:seconds], dtype=float)
    watts = node.watts(busy_of(result.log), np.append(at, at[-1] + 1), cards)
    return [
        PowerRow(cards, float(t), float(m), float(w), float(p))
        for t, m, w, p in zip(at, measured["power_w"], watts, parsed["power_w"], strict=False)
    ]


def mean_error(rows: list[PowerRow]) -> float:
    """Return the error of the mean power, per cent."""
    return off(
        float(np.mean([row.ours for row in rows])), float(np.mean([row.measured for row in rows]))
    )


def correlation(rows: list[PowerRow]) -> float:
    """Return how measured and simulated power move together, the clocks shifted by up to 2 s."""
    ours = np.array([row.ours for row in rows])
    real = np.array([row.measured for row in rows])
    found = []
    for shift in (-2, -1, 0, 1, 2):
        a = ours[max(shift, 0) : len(ours) + min(shift, 0)]
        b = real[max(-shift, 0) : len(real) + min(-shift, 0)]
        found.append(float(np.corrcoef(a, b)[0, 1]))
    return max(found)


@dataclass(frozen=True)
class HitRow:
    """The share of prompt tokens that hit the prefix cache until some second, per cent."""

    second: float | int
    measured: float | int
    ours: float | int
    published: float | int


def figure_7(
    result: Replay, measured: Mapping[str, Any], parsed: Mapping[str, Any]
) -> list[HitRow]:
    """Return the running share of hits of one instance beside the measured series."""
    begun = result.scheduled_ns / 1e9
    seconds = min(len(measured["time_s"]), len(parsed["time_s"]))
    rows = []
    for k in range(seconds):
        t = float(measured["time_s"][k])
        in_time = begun <= t
        asked = int(result.trace.n_in[in_time].sum())
        share = 100 * float(result.hit[in_time].sum()) / asked if asked else 0.0
        rows.append(
            HitRow(
                t, float(measured["prefix_hit_pct"][k]), share, float(parsed["prefix_hit_pct"][k])
            )
        )
    return rows


@dataclass(frozen=True)
class Definition:
    """A way to average errors, and what it gives."""

    definition: str
    cells: int
    average: float | int


def averages(
    cells: Mapping[str, list[tuple[str, float]]],
    series: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]] = (),
) -> list[Definition]:
    """Return the average absolute error under several definitions.

    Parameters
    ----------
    cells
        Errors in per cent, by figure, each with the name of its metric.
    series
        Pairs of throughput series, measured and simulated, which two more definitions take in: by
        their totals, and by their seconds (`series_error`).
    """
    every = [(figure, name, error) for figure, rows in cells.items() for name, error in rows]

    def mean(kept: list[tuple[str, str, float]]) -> tuple[int, float]:
        return len(kept), float(np.mean([abs(error) for _, _, error in kept]))

    def geometric(kept: list[tuple[str, str, float]]) -> tuple[int, float]:
        sizes = np.maximum([abs(error) for _, _, error in kept], 1e-3)
        return len(kept), float(np.exp(np.log(sizes).mean()))

    late = [each for each in every if each[1] != "TTFT"]
    known = list(cells)
    rows = [
        ("all cells, mean", *mean(every)),
        ("all but TTFT, mean", *mean(late)),
        ("all cells, geometric mean", *geometric(every)),
        ("all but TTFT, geometric mean", *geometric(late)),
        ("throughput alone, mean", *mean([e for e in every if e[1] == "tokens/s"])),
        ("mean of the figures' means", len(known), float(
            np.mean([mean([e for e in every if e[0] == figure])[1] for figure in known]))),
        ("errors with their signs, size of the mean", len(every), abs(float(
            np.mean([error for _, _, error in every])))),
        ("median of the absolute errors", len(every), float(
            np.median([abs(error) for _, _, error in every]))),
        *(
            (f"all cells and Figure 5 by {what}, mean", len(every) + len(series), float(
                np.mean([abs(error) for _, _, error in every] + [
                    abs(series_error(*pair)[k]) for pair in series])))
            for k, what in enumerate(("its totals", "its seconds")) if series
        ),
        ("largest", len(every), max(abs(error) for _, _, error in every)),
    ]  # fmt: skip
    return [Definition(*row) for row in rows]


def series_error(measured: Mapping[str, Any], parsed: Mapping[str, Any]) -> tuple[float, float]:
    """Return a throughput series' errors in per cent: of the total, and mean of the seconds.

    The second is the mean over seconds of the absolute difference, over the measured mean.
    """
    value = next(name for name in parsed if name != "time_s")
    other = next(name for name in measured if name != "time_s")
    a, b = np.asarray(measured[other], dtype=float), np.asarray(parsed[value], dtype=float)
    common = min(a.size, b.size)
    pointwise = np.abs(a[:common] - b[:common]).mean() / a[:common].mean()
    return off(float(b.sum()), float(a.sum())), 100 * float(pointwise)
