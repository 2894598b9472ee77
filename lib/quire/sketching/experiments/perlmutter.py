"""What the authors' published timings say: scaling, the flip, and the end of silence."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from quire.sketching.bounds.nystrom_bounds import nystrom_words
from quire.sketching.bounds.processor_grids import (
    Rates,
    fastest_grid,
    grid_cost,
    pareto_front,
    regeneration_limit,
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

    fitted_up_to: int
    ranks: int
    measured: float  # seconds, on (P, 1, 1)
    predicted: float  # seconds, on (P, 1, 1)
    best_grid: str
    best: float  # seconds predicted on the best grid
    best_low: float  # with words a tenth as dear as fitted
    best_high: float  # and ten times as dear
    wins_from: int | None  # the least P of the table at which another grid is predicted to win

    @property
    def error(self) -> float:
        """Relative error of the prediction on (P, 1, 1)."""
        return abs(self.predicted - self.measured) / self.measured


@dataclass(frozen=True)
class FrontPoint:
    """A grid that none beats in both resources, for the largest problem."""

    grid: str
    words: float  # millions per process
    numbers: float  # millions per process
    seconds: float  # predicted communication and generation


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
    """Fit latency and bandwidth on part of the rows and predict the flip, for every split.

    Each split is fitted for one r alone and, pooled, on the same P of all sizes. Messages are
    P - 1 per rank (ring and pairwise algorithms). A flip that is measured counts as predicted when
    the fitted curves cross for good between the same two P.
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


def forecast(timings: Sequence[SketchTiming], fitted_up_to: int) -> Forecast:
    """Fit rates on the runs of 8 threads up to some P, and predict the largest run.

    Words are priced by the gathers of the same problem (32 threads a process, the only ones).
    """
    large = [row for row in timings if (row.n1, row.n2, row.r) == (10**6, 10**6, 1000)]
    threads = [row for row in large if row.threads == 8 and row.variant == "regenerate"]
    last = max(threads, key=lambda row: row.ranks)
    rates = fit_rates([row for row in threads if row.ranks <= fitted_up_to], large)
    silent = rates.seconds(grid_cost(MILLION, Grid(last.ranks, 1, 1)))
    best = fastest_grid(MILLION, last.ranks, rates)
    low, high = (
        min(
            priced.seconds(cost)
            for priced in (replace(rates, word=rates.word * factor),)
            for cost in (fastest_grid(MILLION, last.ranks, priced),)
        )
        for factor in (0.1, 10.0)
    )
    tried = sorted({2, 4, 8, 16, 64} | {row.ranks for row in large})
    return Forecast(
        fitted_up_to, last.ranks, last.total, silent, str(best.grid), rates.seconds(best), low,
        high, regeneration_limit(MILLION, rates, tried),
    )  # fmt: skip


def price_ratio(timings: Sequence[SketchTiming], fitted_up_to: int) -> float:
    """Return seconds per word over seconds per random number, β/ρ, as :func:`forecast` fits it."""
    large = [row for row in timings if (row.n1, row.n2, row.r) == (10**6, 10**6, 1000)]
    kept = [row for row in large if row.threads == 8 and row.ranks <= fitted_up_to]
    rates = fit_rates(kept, large)
    return rates.word / rates.random_number


def front(ranks: int, rates: Rates) -> tuple[FrontPoint, ...]:
    """Return the Pareto front of words against random numbers for the largest problem."""
    quiet = replace(rates, flop=0.0)
    return tuple(
        FrontPoint(str(cost.grid), cost.words / 1e6, cost.random_numbers / 1e6, quiet.seconds(cost))
        for cost in pareto_front(MILLION, ranks)
    )


def fitted_rates(timings: Sequence[SketchTiming], fitted_up_to: int) -> Rates:
    """Return the rates that :func:`forecast` uses."""
    large = [row for row in timings if (row.n1, row.n2, row.r) == (10**6, 10**6, 1000)]
    return fit_rates(
        [row for row in large if row.threads == 8 and row.ranks <= fitted_up_to], large
    )


def steady(timings: Iterable[SketchTiming], least_runs: int = 10) -> tuple[Scaling, ...]:
    """Return strong scaling of the configurations with at least so many runs each."""
    return strong_scaling([row for row in timings if row.runs >= least_runs])


def shortened(rows: Sequence[Scaling]) -> tuple[int, int]:
    """Return in how many steps to more ranks the time fell, and the number of steps."""
    fell = steps = 0
    for before, after in itertools.pairwise(rows):
        if (before.system, before.threads, before.n1, before.r) == (
            after.system, after.threads, after.n1, after.r,
        ):  # fmt: skip
            steps += 1
            fell += after.total < before.total
    return fell, steps


def _words(n: int, r: int, ranks: Float[np.ndarray, " m"], algorithm: str) -> np.ndarray:
    return np.array([nystrom_words(n, r, int(p), algorithm) for p in ranks])


def _between(ends: tuple[float, float]) -> str:
    low, high = ends
    return f"{low:.0f}-{high:.0f}" if np.isfinite(high) else f"beyond {low:.0f}"
