"""Cards that nobody measured here: the model run over ranges of what is not known.

The T4 and the M1 of the paper's table. Cores, clocks, bandwidths and caches are published figures;
every other number is a range that we hold to contain the truth (ours), and the fitted constants of
the measured cards are widened in the same way. What comes out is a range, and only that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.stats import qmc

from quire.isa.costs.cards import Card
from quire.isa.costs.critical_path import Latencies
from quire.isa.costs.model import Fitted

Interval = tuple[float, float]


@dataclass(frozen=True)
class UncertainCard:
    """A card as published numbers and ranges; the keys of ``ranges`` are those of `draw`."""

    name: str
    cores: int
    cache: int
    max_waves: int
    ranges: Mapping[str, Interval]


_UNKNOWN: dict[str, Interval] = {
    "cache_latency": (180.0, 320.0),
    "device_latency": (350.0, 750.0),
    "arithmetic": (2.0, 6.0),
    "local": (19.0, 60.0),
    "shuffle": (10.0, 40.0),
    "barrier": (6.0, 30.0),
    "barrier_wave": (0.5, 4.0),
    "issue": (2.0, 4.0),
    "pass_width": (0.5, 1.0),
    "launch": (2.0, 10.0),
    "start": (1.0, 5.0),
    "dispatch": (20.0, 200.0),
    "setup": (150.0, 600.0),
    "queueing": (0.05, 0.3),
    "barrier_unit": (0.5, 1.5),
    "local_pass": (1.0, 1.3),
    "device_access": (1.0, 4.0),
}

UNMEASURED = MappingProxyType(
    {
        # Turing white paper: 40 multiprocessors, 0.585 to 1.59 GHz, 320 GB/s, 4 MiB of L2
        "T4": UncertainCard(
            *("T4", 40, 4 * 2**20, 32),
            {**_UNKNOWN, "clock": (0.585, 1.59), "bandwidth": (220.0, 320.0)},
        ),
        # public figures: 8 cores, 1.278 GHz, 68 GB/s, 8 MiB of last cache
        "M1": UncertainCard(
            *("M1", 8, 8 * 2**20, 24),
            {**_UNKNOWN, "clock": (1.278, 1.278), "bandwidth": (50.0, 68.0)},
        ),
    }
)


def draw(card: UncertainCard, samples: int, seed: int) -> list[tuple[Card, Fitted]]:
    """Draw cards from a card's ranges by a Latin hypercube."""
    names = list(card.ranges)
    low, high = np.array([card.ranges[name] for name in names]).T
    unit = qmc.LatinHypercube(len(names), rng=seed).random(samples)
    drawn = []
    for row in low + unit * (high - low):
        x = dict(zip(names, row.tolist(), strict=True))
        latencies = Latencies(
            *(x[name] for name in ("arithmetic", "local", "shuffle", "barrier", "barrier_wave"))
        )
        known = Card(
            *(card.name, card.cores, x["clock"], x["bandwidth"], card.cache),
            *(x["cache_latency"], x["device_latency"], x["issue"], x["pass_width"]),
            *(card.max_waves, latencies),
        )
        fitted = Fitted(
            *(x["launch"], x["start"], x["dispatch"], x["setup"], x["queueing"]),
            *(x["barrier_unit"], x["local_pass"], x["device_access"]),
        )
        drawn.append((known, fitted))
    return drawn
