"""The artefact's cases that take more than one replay: a shared tier, a TPU, a borrowed profile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.serving.engine.config import Replay, SchedulerConfig, Tier
from quire.serving.engine.fleet import serve_pool
from quire.serving.engine.instance import Instance
from quire.serving.experiments.artefact import FIGURE_8, NAMES, CaseRow, HitRow
from quire.serving.experiments.replays import off
from quire.serving.profiles.latency import LatencyTable
from quire.serving.workload.trace import Trace


def case_rows(
    case: str, result: Replay, measured: Mapping[str, Any], parsed: Mapping[str, Any]
) -> list[CaseRow]:
    """Return throughput, TTFT and TPOT of one case, beside vLLM's and the simulator's.

    Parameters
    ----------
    case
        Its name.
    result
        Of our simulation.
    measured, parsed
        The artefact's tables: what was measured (with a column ``framework`` or alone), and what
        its simulator gave.
    """
    served = result.served()
    ours = (served.tokens_per_s, served.cell("TTFT", "mean"), served.cell("TPOT", "mean"))
    at = list(measured["framework"]).index("vLLM") if "framework" in measured else 0
    rows = []
    for metric, value in zip(FIGURE_8, ours, strict=True):
        real = float(measured[metric][at])
        published = off(float(parsed[metric][0]), real)
        rows.append(CaseRow(case, NAMES[metric], real, value, off(value, real), published))
    return rows


@dataclass(frozen=True)
class ErrorsOfCase:
    """One case in one row: errors against the measured values, per cent, ours and published."""

    case: str
    tokens_s: float | int
    tokens_s_published: float | int
    ttft: float | int
    ttft_published: float | int
    tpot: float | int
    tpot_published: float | int


def side_by_side(rows: Sequence[CaseRow]) -> list[ErrorsOfCase]:
    """Return each case's three errors in one row, in the order of the cases."""
    found: dict[str, dict[str, CaseRow]] = {}
    for row in rows:
        found.setdefault(row.case, {})[row.metric] = row
    return [
        ErrorsOfCase(
            case,
            *(value for name in NAMES.values() for value in (by[name].error, by[name].published)),
        )
        for case, by in found.items()
    ]


@dataclass(frozen=True)
class SharedTier:
    """Two instances over one tier: hits of the prefix cache by second, and the tier's content.

    Attributes
    ----------
    hits
        Of each instance, the running share of prompt tokens found on its own device.
    tier_mb, tier_measured_mb, tier_published_mb
        What the tier holds in the end, in 2^20 bytes.
    recalled
        Share of all prompt tokens that came back from the tier, per cent.
    """

    hits: tuple[list[HitRow], list[HitRow]]
    tier_mb: float | int
    tier_measured_mb: float | int
    tier_published_mb: float | int
    recalled: float | int

    def difference(self, instance: int) -> float:
        """Return the mean difference of an instance's share from the measured one, points."""
        return float(np.mean([abs(row.ours - row.measured) for row in self.hits[instance]]))


def shared_tier(
    trace: Trace,
    profile: LatencyTable,
    config: SchedulerConfig,
    tier: Tier,
    measured: Sequence[Mapping[str, Any]],
    parsed: Sequence[Mapping[str, Any]],
) -> SharedTier:
    """Serve a trace on two instances in turn, which write and read one tier (Figure 7).

    Parameters
    ----------
    trace, profile, config
        Requests, tables of one instance, scheduler.
    tier
        Below both.
    measured, parsed
        Of the first and the second instance and of the tier: Figure 7's series.
    """
    costs = profile.costs(config.budget, config.max_sequences)
    each = profile.model.kv_bytes_per_token(profile.tp)
    pair = [Instance(trace, costs, config, tier=tier, kv_bytes_per_token=each) for _ in range(2)]
    pair[1].share_tier(pair[0])
    result = serve_pool(pair)
    begun = result.scheduled_ns / 1e9
    recalled = pair[0].requests.recalled + pair[1].requests.recalled
    own = result.hit - recalled
    hits: tuple[list[HitRow], list[HitRow]] = ([], [])
    for k in range(2):
        seconds = min(len(measured[k]["time_s"]), len(parsed[k]["time_s"]))
        for i in range(seconds):
            second = float(measured[k]["time_s"][i])
            mine = (result.instance == k) & (begun <= second)
            asked = int(trace.n_in[mine].sum())
            share = 100 * float(own[mine].sum()) / asked if asked else 0.0
            theirs = (float(t[k]["prefix_hit_pct"][i]) for t in (measured, parsed))
            real, published = theirs
            hits[k].append(HitRow(second, real, share, published))
    mb = each * tier.tokens / 2**20
    return SharedTier(
        hits,
        result.written_chunks * mb,
        float(measured[2]["shared_cpu_mem_mb"][-1]),
        float(parsed[2]["shared_cpu_mem_mb"][-1]),
        100 * float(recalled.sum()) / float(trace.n_in.sum()),
    )
