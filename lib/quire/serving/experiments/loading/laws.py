"""The capacity law over bandwidths, and the map of regimes against its closed-form boundary."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from quire.checks import integer
from quire.serving.experiments.loading.headline import saturation
from quire.serving.experiments.loading.settings import Case
from quire.serving.loading import (
    ComputeCost,
    LoadingCosts,
    boundary_bytes_per_s,
    disagreement,
    engine,
    expected_disagreement,
    random_requests,
    serve,
)


@dataclass(frozen=True)
class CapacityRow:
    """Measured over expected gain of decoupling, at a bandwidth."""

    net_gb_per_s: float
    bottleneck: str
    law: float
    measured: float
    little_room: float

    @property
    def miss(self) -> float:
        """Per cent from the law."""
        return 100 * (self.measured / self.law - 1)

    @property
    def shortfall(self) -> float:
        """Per cent below the law with room for one request only."""
        return 100 * (1 - self.little_room / self.law)


def capacity_rows(case: Case, nets_gb_per_s: Sequence[float], seed: int) -> list[CapacityRow]:
    """Return the ratio of saturation rates of E2 and E0, and what the law says."""
    rows = []
    for net in nets_gb_per_s:
        at = replace(case, costs=replace(case.costs, net_bytes_per_s=net * 1e9))
        coupled = saturation(at, "E0", seed)
        rows.append(
            CapacityRow(
                net, at.capacity.bottleneck, at.capacity.gain,
                saturation(at, "E2", seed) / coupled,
                saturation(at, "E2", seed, room=True) / coupled,
            )
        )  # fmt: skip
    return rows


HITS = tuple(float(x) for x in np.round(np.linspace(0.2, 0.95, 16), 4))
NETS = (1.0, 2.0, 3.0, 4.5, 6.0, 9.0, 12.5, 25.0)
SPEEDS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Hit ratio, GB/s, and the device's speed against an H100's: 16 x 8 x 8 = 1,024 points."""
MAP_SEED = 11


@dataclass(frozen=True)
class MapPoint:
    """One point of the map.

    Attributes
    ----------
    point
        Its number.
    hit, net_gb_per_s, speed
        Mean share cached, bandwidth, and the device's speed against the H100's.
    load_over_compute
        Mean load over mean computing: the boundary is at one.
    boundary_gb_per_s
        The bandwidth of the boundary for a request of mean length and hit, in closed form.
    pairs, pairs_expected
        Share of pairs that the orders by computing and by all disagree on, counted and by
        ``arccos(rho) / pi``.
    gain
        Points of the share on time, sjf_total less sjf_compute, mean over seeds.
    """

    point: int
    hit: float
    net_gb_per_s: float
    speed: float
    load_over_compute: float
    boundary_gb_per_s: float
    pairs: float
    pairs_expected: float
    gain: float


def map_points(
    which: Sequence[int],
    seed: int = MAP_SEED,
    *,
    requests: int = 400,
    seeds: int = 3,
    load: float = 0.9,
) -> list[MapPoint]:
    """Return points of the map, by their numbers from 0 to 1,023.

    Requests have log-normal prompts of 15,000 tokens on average and independent shares of cached
    tokens; loads go whole. Every point has requests and arrivals of its own.

    Parameters
    ----------
    which
        Numbers of points.
    seed
        The first seed.
    requests, seeds, load
        Of each run: how many, how many runs, and the fraction of the decoupled capacity.
    """
    found = []
    h100 = ComputeCost()
    for number in which:
        number = integer("which", number, 0, len(HITS) * len(NETS) * len(SPEEDS) - 1)
        i, rest = divmod(number, len(NETS) * len(SPEEDS))
        j, k = divmod(rest, len(SPEEDS))
        hit, net, speed = HITS[i], NETS[j], SPEEDS[k]
        device = ComputeCost(
            h100.fixed_s / speed, h100.token_s / speed, h100.pair_s / speed, 0.0, 0.0
        )
        costs = LoadingCosts(net * 1e9, 50e9, compute=device)
        gaps, pairs, expected, ratios = [], [], [], []
        for s in range(seeds):
            drawn = random_requests(requests, 15_000, hit, seed=seed + 1000 * s + number)
            case = Case("map", drawn, costs)
            coming = case.arrivals(load, seed + s)
            stages = coming.stage_s(costs)
            ratios.append(float(stages[0].mean() / stages[2].mean()))
            pairs.append(disagreement(stages[2], stages.sum(axis=0)))
            expected.append(expected_disagreement(stages[2], stages.sum(axis=0)))
            whole = engine("E2", quantum_tokens=None)
            shares = [
                serve(coming, costs, whole, policy).attainment
                for policy in ("sjf_total", "sjf_compute")
            ]
            gaps.append(shares[0] - shares[1])
        boundary = boundary_bytes_per_s(hit, 15_000, costs.kv_bytes_per_token, device)[0]
        found.append(
            MapPoint(
                number, hit, net, speed, float(np.mean(ratios)), float(boundary / 1e9),
                float(np.mean(pairs)), float(np.mean(expected)), float(np.mean(gaps)),
            )
        )  # fmt: skip
    return found


@dataclass(frozen=True)
class MapSummary:
    """How the closed-form boundary and the closed form of pairs fit the map.

    A point is on the network's side if its bandwidth is no more than the boundary's.
    """

    points: int
    gaining: int
    on_network_side: float
    network_side_gaining: float
    rank_correlation: float
    pairs_error: float


def summary(points: Sequence[MapPoint], line: float = 2.0) -> MapSummary:
    """Return shares and correlations over points; a point gains above ``line`` points."""
    gain = np.array([p.gain for p in points])
    expected = np.array([p.pairs_expected for p in points])
    pairs = np.array([p.pairs for p in points])
    gains = gain > line
    network = np.array([p.net_gb_per_s <= p.boundary_gb_per_s for p in points])
    return MapSummary(
        len(points),
        int(gains.sum()),
        float(network[gains].mean()) if gains.any() else 1.0,
        float(gains[network].mean()) if network.any() else 0.0,
        float(stats.spearmanr(gain, expected).statistic),
        float(np.abs(pairs - expected).mean()),
    )
