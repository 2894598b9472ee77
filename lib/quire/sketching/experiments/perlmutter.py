"""What the authors' published timings say: scaling, the flip, and the end of silence."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from quire.sketching.bounds.nystrom_bounds import nystrom_words
from quire.sketching.bounds.processor_grids import (
    fastest_grid,
    grid_cost,
)
from quire.sketching.problem import Grid, Shape
from quire.sketching.timings.fits import fit_message_time, fit_rates, flip
from quire.sketching.timings.published import (
    NystromTiming,
    Scaling,
    SketchTiming,
    series,
    strong_scaling,
)

MILLION = Shape(1_000_000, 1_000_000, 1000)


@dataclass(frozen=True)
class Flip:
    """Where redistribution wins for good: as measured, and as a fit on part of the rows says."""

    system: str
    r: int
    fitted_on: str
    measured: str  # "16-32": the last P where noredist wins, and the first where redist does
    predicted: str
    agrees: bool
    residual: float  # median relative error of the rows that were held out


@dataclass(frozen=True)
class Crossing:
    """A measured flip beside the P at which both algorithms send equally many words."""

    system: str
    r: int
    equal_volume: float  # n/r
    measured: float  # geometric middle of the measured interval
    factor: float  # the larger over the smaller


@dataclass(frozen=True)
class Forecast:
    """The largest run, predicted from smaller ones, and the grid predicted to beat it."""

    ranks: int
    measured: float  # seconds, on (P, 1, 1)
    predicted: float  # seconds, on (P, 1, 1)
    best_grid: str
    words: float  # that a process sends on the best grid
    gain: float  # predicted on (P, 1, 1) over predicted on the best grid
    gain_low: float  # with words as dear as the dearest price
    gain_high: float  # and as cheap as the cheapest
    pays_from: tuple[float, float]  # P at which p2 = 2 pays, for the cheapest and dearest words

    @property
    def error(self) -> float:
        """Relative error of the prediction on (P, 1, 1)."""
        return abs(self.predicted - self.measured) / self.measured


@dataclass(frozen=True)
class Series:
    """Total time of one problem on more and more processes."""

    algorithm: str
    system: str
    n: int
    r: int
    threads: int | None  # per process; None where the table does not tell
    first: int  # least number of processes
    fastest: int  # number of processes of the least time
    last: int  # largest number of processes
    rises: int  # steps at which the time rose
    steps: int
    least: float  # seconds
    at_last: float  # seconds


def splits(ranks: Float[np.ndarray, " m"]) -> dict[str, Bool[np.ndarray, " m"]]:
    """Return which rows to fit on, by name; the others are held out."""
    place = np.arange(len(ranks))
    return {
        "every other P, first": place % 2 == 0,
        "every other P, second": place % 2 == 1,
        "small P": place < (len(ranks) + 1) // 2,
        "large P": place >= len(ranks) // 2,
    }


def flips(
    timings: Sequence[NystromTiming], systems: Sequence[str], n: int, sizes: Sequence[int]
) -> tuple[Flip, ...]:
    """Fit three rates a collective on part of the rows and predict the flip, for every split.

    The rates are a constant, seconds per message and seconds per word. Each split is fitted for
    one r alone and, pooled, on the same P of all sizes. Messages are P - 1 per rank (ring and
    pairwise algorithms). A flip that is measured counts as predicted when the fitted curves cross
    for good between the same two P.
    """
    rows = []
    for system in systems:
        measured = {
            r: {name: series(timings, system, name, n, r) for name in ("noredist", "redist")}
            for r in sizes
        }
        for r, pooled in ((r, pooled) for r in sizes for pooled in (False, True)):
            ranks = measured[r]["noredist"][0]
            seen = _between(flip(ranks, measured[r]["noredist"][1], measured[r]["redist"][1]))
            for name, fitted in splits(ranks).items():
                curves, errors = [], []
                for algorithm in ("noredist", "redist"):
                    chosen = sizes if pooled else (r,)
                    fit = fit_message_time(
                        np.concatenate([measured[s][algorithm][0][fitted] - 1 for s in chosen]),
                        np.concatenate([_words(n, s, ranks[fitted], algorithm) for s in chosen]),
                        np.concatenate([measured[s][algorithm][1][fitted] for s in chosen]),
                    )
                    curve = fit.seconds(ranks - 1, _words(n, r, ranks, algorithm))
                    curves.append(curve)
                    errors.append(np.abs(curve / measured[r][algorithm][1] - 1)[~fitted])
                told = _between(flip(ranks, *curves))
                rows.append(
                    Flip(
                        system, r, name + (", both r" if pooled else ""), seen, told,
                        told == seen, float(np.median(np.concatenate(errors))),
                    )
                )  # fmt: skip
    return tuple(rows)


def crossings(
    timings: Sequence[NystromTiming], systems: Sequence[str], n: int, sizes: Sequence[int]
) -> tuple[Crossing, ...]:
    """Return each measured flip beside n/r; one outside the table has no middle and is left out."""
    rows = []
    for system in systems:
        for r in sizes:
            ranks, kept = series(timings, system, "noredist", n, r)
            low, high = flip(ranks, kept, series(timings, system, "redist", n, r)[1])
            if low > 0 and np.isfinite(high):
                middle = float(np.sqrt(low * high))
                factor = max(middle * r / n, n / r / middle)
                rows.append(Crossing(system, r, n / r, middle, factor))
    return tuple(rows)


def word_prices(timings: Sequence[NystromTiming], system: str) -> tuple[float, float, float]:
    """Return seconds per word of the measured reduce-scatters: least, median and largest."""
    prices = sorted(
        row.communicate / nystrom_words(row.n, row.r, row.ranks, "noredist")
        for row in timings
        if (row.system, row.algorithm, row.r) == (system, "noredist", 5000)
    )
    return prices[0], float(np.median(prices)), prices[-1]


def forecast(
    timings: Sequence[SketchTiming], fitted_up_to: int, prices: tuple[float, float, float]
) -> Forecast:
    """Fit rates on the runs of 8 threads up to some P, and predict the largest run.

    A grid that cuts the contraction reduce-scatters: ``prices`` are seconds per word of such
    collectives, least, likely and largest.
    """
    large = [row for row in timings if (row.n1, row.n2, row.r) == (10**6, 10**6, 1000)]
    threads = [row for row in large if row.threads == 8 and row.variant == "regenerate"]
    last = max(threads, key=lambda row: row.ranks)
    fitted = fit_rates([row for row in threads if row.ranks <= fitted_up_to], large)
    silent = fitted.seconds(grid_cost(MILLION, Grid(last.ranks, 1, 1)))
    priced = [replace(fitted, word=price) for price in prices]
    bests = [fastest_grid(MILLION, last.ranks, rates) for rates in priced]
    gains = [silent / rates.seconds(best) for rates, best in zip(priced, bests, strict=True)]
    return Forecast(
        last.ranks, last.total, silent, str(bests[1].grid), bests[1].words, gains[1], min(gains),
        max(gains), (2 * prices[0] / fitted.random_number, 2 * prices[2] / fitted.random_number),
    )  # fmt: skip


def total_series(
    sketches: Iterable[SketchTiming], nystroms: Iterable[NystromTiming], least_runs: int = 10
) -> tuple[Series, ...]:
    """Return every series of two or more numbers of processes, each run so often or more.

    All algorithms, systems and sizes of both tables, by total time.
    """
    found: dict[tuple[str, str, int, int, int | None], dict[int, float]] = {}
    for row in sketches:
        if row.runs >= least_runs:
            sketched = (row.variant, row.system, row.n1, row.r, row.threads)
            found.setdefault(sketched, {})[row.ranks] = row.total
    for timed in nystroms:
        if timed.runs >= least_runs:
            of = (timed.algorithm, timed.system, timed.n, timed.r, None)
            found.setdefault(of, {})[timed.ranks] = timed.total
    rows = []
    for which, totals in found.items():
        ranks = sorted(totals)
        times = [totals[p] for p in ranks]
        if len(ranks) > 1:
            rises = sum(after >= before for before, after in itertools.pairwise(times))
            fastest = ranks[int(np.argmin(times))]
            rows.append(
                Series(
                    *which,
                    ranks[0],
                    fastest,
                    ranks[-1],
                    rises,
                    len(ranks) - 1,
                    min(times),
                    times[-1],
                )
            )
    return tuple(rows)


def steady(timings: Iterable[SketchTiming], least_runs: int = 10) -> tuple[Scaling, ...]:
    """Return strong scaling of the configurations with at least so many runs each."""
    return strong_scaling([row for row in timings if row.runs >= least_runs])


def _words(n: int, r: int, ranks: Float[np.ndarray, " m"], algorithm: str) -> np.ndarray:
    return np.array([nystrom_words(n, r, int(p), algorithm) for p in ranks])


def _between(ends: tuple[float, float]) -> str:
    low, high = ends
    return f"{low:.0f}-{high:.0f}" if np.isfinite(high) else f"beyond {low:.0f}"
