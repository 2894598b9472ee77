"""Experiments without data: boosts, shares of cuts, rate laws, magnitudes."""

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from quire.spacetime.cuts._light_cone_nbbo import LightConeNbbo, light_cone_nbbo
from quire.spacetime.cuts.polytope import inertial_share, sampled_inertial_share
from quire.spacetime.delays.consolidated_feed import SIP_2018_US
from quire.spacetime.delays.rates import ambiguous_share
from quire.spacetime.frames.boosts import flip_speed_km_s, spacelike
from quire.spacetime.frames.magnitudes import FRAMES_KM_S, gravity_ns_per_day, sagnac_ns
from quire.spacetime.geometry.earth import LIGHT_KM_PER_S, geodesic_km
from quire.spacetime.geometry.sites import CORRIDOR, NS_PER_KM, REFRACTIVE_INDEX, Sites
from quire.spacetime.quotes.streams import Stream, stream

COORDINATES = {
    "Mahwah": (41.0783577, -74.1529141),
    "Secaucus": (40.7772608, -74.071748),
    "Carteret": (40.5843303, -74.2434266),
    "Aurora": (41.7965645, -88.243012),
}
"""Degrees of latitude and longitude, as HFTNetView's scripts list them."""


@dataclass(frozen=True)
class Distance:
    """A pair of data centres: km along the ground, and one-way times in microseconds."""

    pair: str
    geodesic_km: float
    chord_km: float
    light_us: float
    fibre_us: float
    stated_us: float | None


def distances() -> list[Distance]:
    """Return all pairs of data centres, the paper's two light times beside the nearest pairs."""
    pairs = list(combinations(COORDINATES, 2))
    ground = {pair: geodesic_km(*COORDINATES[pair[0]], *COORDINATES[pair[1]]) for pair in pairs}
    nearest = {
        stated: min(pairs, key=lambda pair: abs(ground[pair] * NS_PER_KM / 1e3 - stated))
        for stated in (143.0, 3940.0)
    }
    return [
        Distance(
            f"{a}-{b}",
            ground[a, b],
            float(CORRIDOR.distances_km[CORRIDOR.index(a), CORRIDOR.index(b)]),
            ground[a, b] * NS_PER_KM / 1e3,
            ground[a, b] * NS_PER_KM / 1e3 * REFRACTIVE_INDEX["fibre"],
            next((stated for stated, pair in nearest.items() if pair == (a, b)), None),
        )
        for a, b in sorted(pairs, key=lambda pair: ground[pair])
    ]


@dataclass(frozen=True)
class Reversals:
    """What a search over boosts found of random event pairs."""

    kind: str
    pairs: int
    reversed: int
    disagreements: int
    largest_error: float


def reversals(pairs: int, seed: int) -> list[Reversals]:
    """Search observers who reverse random event pairs, and hold them against the light cone.

    Lorentz matrices are applied to every pair: along the line of the events at speeds up to
    1 - 1e-9, and in three random directions. ``largest_error`` is that of the formula for the flip
    speed, against bisection over the matrices, for the pairs that are reversed.

    Parameters
    ----------
    pairs
        How many.
    seed
        Of the random numbers.
    """
    random = np.random.default_rng(seed)
    dt = random.normal(size=pairs) * 1000
    axis = random.normal(size=(pairs, 3))
    axis /= np.linalg.norm(axis, axis=1)[:, None]
    dx = axis * random.exponential(0.3, (pairs, 1))  # km: light takes about as long as dt
    found = np.zeros(pairs, dtype=bool)
    for beta in np.concatenate([np.linspace(0.05, 0.95, 19), 1 - 10.0 ** -np.arange(2, 10)]):
        for sign in (1, -1):
            found |= _time_after(dt, dx, sign * beta * axis) * dt < 0
    for _ in range(3):
        way = random.normal(size=(pairs, 3))
        way *= random.random((pairs, 1)) / np.linalg.norm(way, axis=1)[:, None]
        found |= _time_after(dt, dx, way) * dt < 0
    apart = spacelike(dt, dx)
    stated = flip_speed_km_s(dt, np.linalg.norm(dx, axis=1)) / LIGHT_KM_PER_S
    low, high = np.zeros(pairs), np.ones(pairs)
    for _ in range(60):
        middle = (low + high) / 2
        flips = _time_after(dt, dx, (middle * np.sign(dt))[:, None] * axis) * dt < 0
        low, high = np.where(flips, low, middle), np.where(flips, middle, high)
    error = np.abs(high - stated)
    return [
        Reversals(
            kind,
            int(group.sum()),
            int(found[group].sum()),
            int((found != apart)[group].sum()),
            float(error[group & found].max(initial=0.0)),
        )
        for kind, group in (("spacelike", apart), ("causal", ~apart))
    ]


def _time_after(dt: np.ndarray, dx: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Return the time differences after boosts, by the first row of each Lorentz matrix."""
    square = (beta * beta).sum(axis=1)
    gamma = 1 / np.sqrt(1 - np.minimum(square, 1 - 1e-15))
    return gamma * (dt - (beta * dx).sum(axis=1) * NS_PER_KM)


@dataclass(frozen=True)
class CutShare:
    """The share of causal cuts that inertial observers make: exact, and from random cuts."""

    sites: str
    exact: float | None
    sampled: float
    low: float
    high: float
    samples: int

    @property
    def errors(self) -> float | None:
        """How many standard errors the sampled share is from the exact one, between 0 and 1."""
        if self.exact is None or not 0 < self.exact < 1:
            return None
        error = math.sqrt(self.exact * (1 - self.exact) / self.samples)
        return abs(self.sampled - self.exact) / error


def cut_shares(samples: int, seed: int) -> list[CutShare]:
    """Return the share for two sites, the triangle, three sites on a line, and with Aurora."""
    line = Sites(("a", "b", "c"), np.array([[0.0, 0, 0], [10, 0, 0], [25, 0, 0]]))
    cases = [
        ("two sites", CORRIDOR.choose("Mahwah", "Carteret")),
        ("New Jersey's three", CORRIDOR.choose("Mahwah", "Secaucus", "Carteret")),
        ("three on a line", line),
        ("with Aurora", CORRIDOR),
    ]
    rows = []
    for name, sites in cases:
        found = sampled_inertial_share(sites, samples, seed)
        exact = inertial_share(sites) if len(sites) < 4 else None
        rows.append(CutShare(name, exact, found.share, found.low, found.high, samples))
    return rows


@dataclass(frozen=True)
class RateCell:
    """The share of time in which a Poisson feed is ambiguous, simulated and by the law."""

    pair: str
    rate: float
    simulated: float
    law: float
    errors: float


def rate_cells(rates: list[float], samples: int, seed: int, batches: int = 50) -> list[RateCell]:
    """Simulate Poisson quotes and hold the ambiguous share against the rate law.

    Parameters
    ----------
    rates
        Updates a second.
    samples
        Updates per cell, a fiftieth of it; the error comes from ``batches`` batches.
    seed
        Of the random numbers.
    batches
        How many.
    """
    random = np.random.default_rng(seed)
    rows = []
    for pair in (("Secaucus", "Carteret"), ("Mahwah", "Carteret"), ("Aurora", "Carteret")):
        delays = CORRIDOR.choose(*pair).delays_ns()
        for rate in rates:
            gaps = random.exponential(1e9 / rate, max(samples // 50, 2 * batches))
            times = np.unique(np.cumsum(gaps).astype(np.int64))
            far = stream(times, np.arange(len(times)) % 2 + 1, np.full(len(times), 9))
            seen = light_cone_nbbo([stream([0], [0], [9]), far], delays, 0)
            edges = np.linspace(0, int(times[-1]), batches + 1)
            parts = shares_between(seen, seen.ambiguous, edges)
            law = ambiguous_share([rate], [float(delays[0, 1])])
            error = float(parts.std(ddof=1)) / math.sqrt(batches)
            away = float(parts.mean()) - law
            # where every batch is ambiguous throughout, nothing but rounding may be left
            errors = away / error if error > 0 else (0.0 if abs(away) < 1e-6 else math.inf)
            rows.append(RateCell("-".join(pair), rate, float(parts.mean()), law, errors))
    return rows


def shares_between(seen: LightConeNbbo, marked: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the marked share of each stretch between edges, from one running sum."""
    lengths = np.diff(seen.times.astype(np.float64))
    total = np.concatenate([[0.0], np.cumsum(lengths * marked[:-1])])
    at = np.interp(edges, seen.times.astype(np.float64), total)
    at = at + np.maximum(edges - float(seen.times[-1]), 0) * bool(marked[-1])
    return np.diff(at) / np.diff(edges)


@dataclass(frozen=True)
class Magnitude:
    """One effect in microseconds, inside New Jersey and to Chicago."""

    effect: str
    kind: str
    jersey_us: float
    chicago_us: float
    source: str


def magnitudes() -> list[Magnitude]:
    """Put signalling, clocks, frames, rotation and gravity side by side."""
    jersey, chicago = (0, 2), (3, 2)  # Mahwah-Carteret and Aurora-Carteret
    light = CORRIDOR.distances_km * NS_PER_KM / 1e3
    light_jersey, light_chicago = float(light[jersey]), float(light[chicago])
    turned = np.abs(sagnac_ns(CORRIDOR)) / 1e3
    gravity = float(gravity_ns_per_day([200.0])[0]) / 1e3
    rows = [
        Magnitude("light, one way", "signal", light_jersey, light_chicago, "coordinates"),
        Magnitude(
            "fibre, one way", "signal", light_jersey * 1.468, light_chicago * 1.468, "coordinates"
        ),
        Magnitude("SIP, 2015-16", "signal", 1128.0, 1128.0, "Bartlett and McCrary"),
        *(
            Magnitude(f"SIP at {site}, 2018", "signal", us, us, "operator's upper figure")
            for site, us in SIP_2018_US.items()
        ),
        Magnitude("clock tolerance by law", "clocks", 100.0, 100.0, "CAT, MiFID II (recalled)"),
    ]
    for name, speed in sorted(FRAMES_KM_S.items(), key=lambda item: -item[1]):
        beta = speed / LIGHT_KM_PER_S
        rows.append(
            Magnitude(
                f"frame: {name}", "relativity", light_jersey * beta, light_chicago * beta,
                f"{speed:g} km/s",
            )
        )  # fmt: skip
    rows.append(
        Magnitude(
            "Sagnac, one way",
            "relativity",
            float(turned[jersey]),
            float(turned[chicago]),
            "swept area",
        )
    )
    rows.append(
        Magnitude(
            "gravity, 200 m, a day", "relativity", gravity, gravity, "g h / c^2, undisciplined"
        )
    )
    return rows


@dataclass(frozen=True)
class Lateness:
    """How late a trader hears of a quote, by both feeds, microseconds."""

    quote: str
    trader: str
    processor: str
    direct_us: float
    sip_us: float
    ratio: float


def signals_over_relativity(sizes: list[Magnitude]) -> tuple[float, float]:
    """Return the least effect of signals and clocks over the largest of relativity.

    Inside New Jersey, and to Chicago.
    """
    slow = [row for row in sizes if row.kind == "relativity"]
    rest = [row for row in sizes if row.kind != "relativity"]
    return (
        min(row.jersey_us for row in rest) / max(row.jersey_us for row in slow),
        min(row.chicago_us for row in rest) / max(row.chicago_us for row in slow),
    )


def lateness(sip_us: float = 1128.0, direct_us: float = 20.0) -> list[Lateness]:
    """Return the delays of direct and consolidated feeds for every quote and trader.

    Both pay the distance at the speed of light, and a fixed time besides.

    Parameters
    ----------
    sip_us, direct_us
        Processing times, microseconds; the ratio is infinite where a direct feed takes no time.
    """
    light = CORRIDOR.distances_km[:3, :3] * NS_PER_KM / 1e3
    names = CORRIDOR.names[:3]
    rows = []
    for processor in (0, 2):
        for quote in range(3):
            for trader in range(3):
                direct = float(light[quote, trader]) + direct_us
                sip = float(light[quote, processor] + light[processor, trader]) + sip_us
                rows.append(
                    Lateness(
                        names[quote],
                        names[trader],
                        names[processor],
                        direct,
                        sip,
                        sip / direct if direct > 0 else math.inf,
                    )
                )
    return rows


@dataclass(frozen=True)
class Ratio:
    """The SIP's delay over a direct feed's, over SIPs, quotes and traders, for one direct feed."""

    direct_us: float
    beside_least: float
    beside_most: float
    apart_least: float
    apart_most: float


def ratios(direct_us: list[float], sip_us: float = 1128.0) -> list[Ratio]:
    """Return the ranges of the ratio beside the exchange and between two sites.

    Parameters
    ----------
    direct_us, sip_us
        Processing times, microseconds; without one a direct feed beside the exchange has no ratio
        (infinite).
    """
    rows = []
    for micros in direct_us:
        late = lateness(sip_us, micros)
        beside = [row.ratio for row in late if row.quote == row.trader]
        apart = [row.ratio for row in late if row.quote != row.trader]
        rows.append(Ratio(micros, min(beside), max(beside), min(apart), max(apart)))
    return rows


def shortest_batch_ns(sites: Sites, seed: int) -> int:
    """Return the shortest batch with an unambiguous instant for every anchor, by bisection.

    Each trial simulates quotes that change at every batch, and looks for pieces of the light-cone
    NBBO in which every site has one readable quote.

    Parameters
    ----------
    sites
        Where the quotes are made.
    seed
        Of the prices.
    """
    random = np.random.default_rng(seed)
    delays = sites.delays_ns()
    low, high = 1, 4 * int(delays.max())
    while high - low > 1:
        middle = (low + high) // 2
        if _agrees(_batched(sites, middle, random), delays, middle):
            high = middle
        else:
            low = middle
    return high


def _batched(sites: Sites, batch: int, random: np.random.Generator) -> list[Stream]:
    streams = []
    for _ in range(len(sites)):
        bids = np.cumsum(random.integers(1, 5, 9))  # every batch brings another price
        streams.append(stream(np.arange(9) * batch, bids, bids + 2))
    return streams


def _agrees(streams: list[Stream], delays: np.ndarray, batch: int) -> bool:
    for anchor in range(len(streams)):
        seen = light_cone_nbbo(streams, delays, anchor)
        if seen.share(seen.open_sites == 0, 4 * batch, 5 * batch) == 0:
            return False
    return True
