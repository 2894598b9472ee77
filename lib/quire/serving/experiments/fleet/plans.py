"""What the planner says: golden rows, savings, its own draws, and the explorer's grid."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.serving.planning import (
    A100,
    GAMMAS,
    Lengths,
    Plan,
    Rules,
    calibrate,
    calibrate_exactly,
    erlang_c,
    gpu,
    one_pool,
    p99_wait,
    plan,
    plan_grid,
    saving,
    saving_law,
    sweep,
)


@dataclass(frozen=True)
class GoldenRow:
    """A kind of golden value: how many, and the largest relative difference."""

    what: str
    rows: int
    worst: float | int


def golden_rows(golden: Mapping[str, Any], lengths: Mapping[str, Lengths]) -> list[GoldenRow]:
    """Return how far ours are from the numbers that the upstream planner printed."""

    def far(mine: float | int, theirs: float | int) -> float:
        return abs(mine - theirs) / abs(theirs) if theirs else abs(float(mine))

    told: dict[str, list[float]] = {"Erlang C": [], "P99 wait": [], "calibration": [], "plans": []}
    for c, a, value in golden["erlang_c"]:
        told["Erlang C"].append(far(erlang_c(c, a), value))
    for c, lam, mu, cv2, value in golden["p99_wait"]:
        told["P99 wait"].append(far(p99_wait(c, lam, mu, cv2), value))
    for name, card, window, *wanted in golden["calibrate"]:
        found = calibrate(lengths[name].up_to(window), window, gpu(card))
        measured = found.gpu_rate, found.cv2, found.slots, found.prefill_s
        told["calibration"].append(max(map(far, measured, wanted)))
    for name, rate, b, card, g, *wanted in golden["sweep"]:
        p = plan(lengths[name], rate, b, g, gpu_short=gpu(card), gpu_long=gpu(card))
        mine = p.short.gpus, p.long.gpus, p.dollars_per_hour, p.short.p99_ms, p.long.p99_ms
        told["plans"].append(max(map(far, mine, wanted)))
    for name, rate, card, *wanted in golden["homogeneous"]:
        p = one_pool(lengths[name], rate, gpu=gpu(card))
        told["plans"].append(max(map(far, (p.gpus, p.p99_ms), wanted)))
    return [GoldenRow(what, len(v), max(v)) for what, v in told.items()]


@dataclass(frozen=True)
class SavingRow:
    """Two pools against one, per cent of cost."""

    trace: str
    rate: float | int
    boundary: int
    one: int
    plain: int
    compressed: int
    gamma: float | int
    saves: float | int
    saves_compressed: float | int
    law: float | int
    law_same: float | int


CASES = (
    ("azure_cdf", 200, 6144),
    ("azure_cdf", 1000, 4096),
    ("lmsys_cdf", 1000, 1536),
    ("lmsys_cdf", 1000, 4096),
    ("agent_heavy_cdf", 200, 8192),
    ("agent_heavy_cdf", 200, 16384),
)


def savings(lengths: Mapping[str, Lengths]) -> list[SavingRow]:
    """Return the grid of savings on A100s: plain routing, the best gamma, and the paper's law."""
    rows = []
    for name, rate, b in CASES:
        one = one_pool(lengths[name], rate)
        plans = sweep(lengths[name], rate, b)
        plain = next(p for p in plans if p.gamma == 1.0)
        best = next(p for p in plans if p.meets)
        rows.append(
            SavingRow(
                name.removesuffix("_cdf"),
                rate,
                b,
                one.gpus,
                plain.gpus,
                best.gpus,
                best.gamma,
                saving(plain, one),
                saving(best, one),
                saving_law(plain, one),
                _law_same(lengths[name], plain, one),
            )
        )
    return rows


@dataclass(frozen=True)
class DrawRow:
    """A GPU's rate from 3,000 draws against the sum over all lengths, per cent off."""

    trace: str
    drawn: float | int
    exact: float | int
    error: float | int
    cv2_drawn: float | int
    cv2_exact: float | int


def draws(lengths: Mapping[str, Lengths], window: int = 65536) -> list[DrawRow]:
    """Return what the upstream planner's draws miss, for one pool of A100s."""
    rows = []
    for name, each in lengths.items():
        a, b = (f(each, window, A100) for f in (calibrate, calibrate_exactly))
        error = 100 * (a.gpu_rate / b.gpu_rate - 1)
        rows.append(DrawRow(name.removesuffix("_cdf"), a.gpu_rate, b.gpu_rate, error, a.cv2, b.cv2))
    return rows


@dataclass(frozen=True)
class ExploreRow:
    """A cell of the explorer."""

    rate: float | int
    window: int
    boundary: int
    gamma: float | int
    short: int
    long: int
    thousand_dollars: float | int


def explorer(lengths: Lengths, boundaries: Any, rates: Any, windows: Any) -> list[ExploreRow]:
    """Return plans for the explorer: by rate, long window and boundary, three gammas each."""
    rows = []
    for window in windows:
        rules = Rules(long_window=int(window), draws=False)
        for rate in rates:
            for b in boundaries:
                if b > window:
                    continue
                for g in (1.0, 1.5, 2.0):
                    p = plan(lengths, rate, int(b), g, rules=rules)
                    rows.append(
                        ExploreRow(
                            rate,
                            int(window),
                            int(b),
                            g,
                            p.short.gpus,
                            p.long.gpus,
                            p.thousand_dollars_a_year,
                        )
                    )
    return rows


@dataclass(frozen=True)
class GammaRow:
    """One gamma: GPUs, and the long pool's P99 by formula."""

    gamma: float | int
    short: int
    long: int
    p99_long_ms: float | int


def staircase(lengths: Lengths, rate: Any = 200, boundary: Any = 6144) -> list[GammaRow]:
    """Return the planner's staircase in gamma."""
    rows = [plan(lengths, rate, boundary, g) for g in GAMMAS]
    return [GammaRow(p.gamma, p.short.gpus, p.long.gpus, p.long.p99_ms) for p in rows]


def _law_same(lengths: Lengths, two: Plan, one: Plan) -> float:
    """Return the law with rho of the same short requests in either window."""
    near = two.short
    assert near.calibration is not None
    there = calibrate(lengths.up_to(two.boundary), one.boundary, near.gpu)
    return 100 * two.share_short * (1 - there.gpu_rate / near.calibration.gpu_rate)


def law_gap(rows: list[SavingRow]) -> float:
    """Return the mean distance of the law from the planner, percentage points; kinder reading."""
    return float(np.mean([abs(r.law_same - r.saves) for r in rows]))


@dataclass(frozen=True)
class JointRow:
    """Boundary and gamma chosen together, against gamma added to the best plain boundary."""

    trace: str
    boundary_plain: int
    retrofit: float | int
    boundary_joint: int
    gamma_joint: float | int
    joint: float | int
    saves: float | int


def joint(lengths: Mapping[str, Lengths], rate: float | int = 1000.0) -> list[JointRow]:
    """Return what a joint choice saves, per cent of the retrofitted cost; A100s, exact lengths."""
    rows = []
    for name, each in lengths.items():
        grid = plan_grid(
            each, [t for t in each.tokens if t < 65536], GAMMAS, [rate], [A100], Rules()
        )
        cost = grid.cost()[:, :, 0, 0, 0]
        plain = int(cost[:, 0].argmin())
        i, j = np.unravel_index(int(cost.argmin()), cost.shape)
        retrofit, best = float(cost[plain].min()), float(cost.min())
        rows.append(
            JointRow(
                name.removesuffix("_cdf"),
                int(grid.boundaries[plain]),
                retrofit,
                int(grid.boundaries[i]),
                float(grid.gammas[j]),
                best,
                100 * (1 - best / retrofit),
            )
        )
    return rows
