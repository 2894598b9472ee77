"""Where a gain of 61.67 % in the share on time can be reached: by baseline, load and meaning."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from quire.checks import integer
from quire.serving.experiments.loading.settings import Case
from quire.serving.loading import engine, serve

HEADLINE = 61.67
BASELINES = (("E0", "fifo"), ("E1", "fifo"), ("E2", "fifo"))


@dataclass(frozen=True)
class Gain:
    """E2 under sjf_total against a baseline first come first served; means over seeds.

    Attributes
    ----------
    case, net_gb_per_s, load, factor
        Where; the load is a fraction of the decoupled capacity, the factor that of the deadline.
    baseline
        E0, E1 or E2.
    of_own
        The same rate as a fraction of the rate at which the baseline saturates.
    base, ours
        Per cent on time.
    """

    case: str
    net_gb_per_s: float
    load: float
    factor: float
    baseline: str
    of_own: float
    base: float
    ours: float

    @property
    def points(self) -> float:
        """Percentage points gained."""
        return self.ours - self.base

    @property
    def relative(self) -> float:
        """Gain in per cent of the baseline's share; infinite over nothing."""
        return 100 * self.points / self.base if self.base > 0 else np.inf


@dataclass(frozen=True)
class Reach:
    """How many cells of a part of the grid reach the headline."""

    baseline: str
    rates: str
    cells: int
    relative: int
    points: int
    largest_relative: float
    largest_points: float


def saturation(case: Case, name: str, seed: int, *, load: float = 3.0, room: bool = False) -> float:
    """Return the requests a second that an overloaded engine ends, over the whole of a run.

    Parameters
    ----------
    case
        Workload and system.
    name
        E0, E1 or E2; first come first served.
    seed
        Of the arrivals.
    load
        Of the decoupled capacity; far above one.
    room
        Whether host and device have room for the one largest request only.
    """
    kappa = case.costs.kv_bytes_per_token
    r = case.requests
    made = engine(
        name,
        quantum_tokens=None,
        staging_bytes=max(1.0, float(r.remote.max() * kappa)) if room else None,
        memory_bytes=float((r.loaded + r.uncached + r.n_out).max() * kappa) if room else None,
    )
    coming = case.arrivals(load, seed)
    ends = serve(coming, case.costs, made).first_s
    return float(len(r) / (ends.max() - coming.arrival_s[0]))


def gains(
    cases: Sequence[Case],
    nets_gb_per_s: Sequence[float],
    loads: Sequence[float],
    factors: Sequence[float],
    seeds: int,
    seed: int,
    quantum_tokens: int = 512,
) -> list[Gain]:
    """Return a gain for each cell of the grid and each baseline.

    Where the rate is above the baseline's saturation it stands as well: `reach` tells them apart.
    Baselines also get rates of their own, the loads as fractions of what each of them sustains.
    """
    found = []
    for case in cases:
        for net in nets_gb_per_s:
            at = replace(case, costs=replace(case.costs, net_bytes_per_s=net * 1e9))
            top = at.capacity.decoupled
            own = {name: saturation(at, name, seed) / top for name, _ in BASELINES}
            for load in loads:
                found += _at(at, net, load, own, factors, seeds, seed, quantum_tokens, BASELINES)
                for name in ("E0", "E1"):
                    found += _at(
                        at, net, load * own[name], own, factors, seeds, seed, quantum_tokens,
                        [(name, "fifo")],
                    )  # fmt: skip
    return found


def reach(found: Sequence[Gain], headline: float = HEADLINE) -> list[Reach]:
    """Return how often the headline is reached: by baseline, below and past its saturation."""
    rows = []
    for name, _ in BASELINES:
        for rates, inside in (
            ("up to 0.9 of its own", lambda g: g.of_own <= 0.9 + 1e-9),
            ("above", lambda g: g.of_own > 0.9 + 1e-9),
        ):
            mine = [g for g in found if g.baseline == name and inside(g)]
            if mine:
                rows.append(
                    Reach(
                        name, rates, len(mine),
                        sum(g.relative >= headline for g in mine),
                        sum(g.points >= headline for g in mine),
                        max(g.relative for g in mine), max(g.points for g in mine),
                    )
                )  # fmt: skip
    return rows


def fresh(case: Case, gain: Gain, seeds: int, seed: int, quantum_tokens: int = 512) -> list[float]:
    """Return the relative gain of one cell of the grid for each of some seeds, in per cent.

    A cell that was chosen for its gain must be run anew: the largest of many means is too large.
    """
    at = replace(case, costs=replace(case.costs, net_bytes_per_s=gain.net_gb_per_s * 1e9))
    own = {gain.baseline: gain.load / gain.of_own}
    found = []
    for k in range(integer("seeds", seeds)):
        (again,) = _at(
            at, gain.net_gb_per_s, gain.load, own, [gain.factor], 1, seed + k, quantum_tokens,
            [(gain.baseline, "fifo")],
        )  # fmt: skip
        found.append(again.relative)
    return found


def _at(
    case: Case,
    net: float,
    load: float,
    own: dict[str, float],
    factors: Sequence[float],
    seeds: int,
    seed: int,
    quantum_tokens: int,
    baselines: Sequence[tuple[str, str]],
) -> list[Gain]:
    sides = [*baselines, ("E2", "sjf_total")]
    shares = np.zeros((len(sides), len(factors), integer("seeds", seeds)))
    for k in range(seeds):
        coming = case.arrivals(load, seed + k)
        due = [
            np.maximum(f * coming.alone_s(case.costs), case.floor_s) for f in factors
        ]  # deadlines enter none of these orders: one run serves all factors
        for i, (name, policy) in enumerate(sides):
            made = engine(name, quantum_tokens=quantum_tokens)
            ttft = serve(coming, case.costs, made, policy).ttft_s
            shares[i, :, k] = [100 * float((ttft <= limit).mean()) for limit in due]
    mean = shares.mean(axis=2)
    return [
        Gain(
            case.name,
            net,
            load,
            factor,
            name,
            load / own[name],
            float(mean[i, j]),
            float(mean[-1, j]),
        )
        for i, (name, _) in enumerate(baselines)
        for j, factor in enumerate(factors)
    ]
