"""Medians of the timings that the paper's authors published, as rows of plain numbers.

A table comes as a mapping from a column's name to its values (a pandas frame will do), with the
authors' own names: seconds, one run per row. Runs whose timings are all zero failed and are left
out. Medians, not means: the first run of a series is often slow.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from quire.signatures import checked

Table = Mapping[str, Any]

_SKETCHES = {"matmul1gen": "regenerate", "matmul1comm": "gather"}
_NYSTROMS = {
    "nystrom-1d-noredist-1d": "noredist",
    "nystrom-1d-redist-1d": "redist",
    "nystrom-2d-noredist-1d": "2d-noredist",
}
_SUMS = ("reduce_scatter_time", "reduce_scatter_1_time", "reduce_scatter_2_time")
_MOVES = ("all2all_time", "pack_time", "unpack_time")


@dataclass(frozen=True)
class SketchTiming:
    """Median seconds of one configuration of the one-dimensional sketch."""

    system: str  # as the authors name it; perlmutter-gpu-cpu is GPU nodes used without their GPUs
    variant: str  # regenerate (all of Ω everywhere) or gather (a slice each, all-gathered)
    threads: int  # per process
    n1: int
    n2: int
    r: int
    ranks: int
    runs: int
    generate: float
    gather: float
    multiply: float
    total: float  # median of the sums


@dataclass(frozen=True)
class NystromTiming:
    """Median seconds of one configuration of a Nystrom algorithm."""

    system: str
    algorithm: str  # noredist, redist or 2d-noredist
    n: int
    r: int
    ranks: int
    p2: int  # parts of the contraction in the first product
    runs: int
    communicate: float  # collectives, with packing and unpacking
    total: float


@dataclass(frozen=True)
class Speedup:
    """How many times faster regenerating is than gathering, for one configuration."""

    system: str
    threads: int
    n1: int
    r: int
    ranks: int
    runs: int  # of the variant with fewer
    speedup: float


@dataclass(frozen=True)
class Scaling:
    """Strong scaling of a series: the same problem on more processes."""

    system: str
    threads: int
    n1: int
    r: int
    ranks: int
    runs: int
    total: float  # seconds
    efficiency: float  # against the series' smallest number of ranks, 1 is perfect
    generate_share: float  # of the total


@checked
def sketch_timings(table: Table) -> tuple[SketchTiming, ...]:
    """Return the medians of the sketches, by system, variant, threads, sizes and ranks.

    Raises ``ValueError`` for missing columns or columns of different lengths.
    """
    parts = ("gen_b_time", "gather_b_time", "local_multiply_time")
    keys = ("system", "alg", "thread_per_proc", "a_rows", "a_cols", "b_cols", "nproc")
    columns = _columns(table, (*keys, *parts))
    seconds = np.stack([columns[name].astype(float) for name in parts])
    kept = np.isin(columns["alg"], list(_SKETCHES)) & (seconds.sum(axis=0) > 0)
    rows = []
    for key, places in _groups(columns, keys, kept):
        chosen = seconds[:, places]
        generate, gather, multiply = (float(np.median(part)) for part in chosen)
        rows.append(
            SketchTiming(
                system=str(key[0]), variant=_SKETCHES[str(key[1])], threads=int(key[2]),
                n1=int(key[3]), n2=int(key[4]), r=int(key[5]), ranks=int(key[6]),
                runs=len(places), generate=generate, gather=gather, multiply=multiply,
                total=float(np.median(chosen.sum(axis=0))),
            )
        )  # fmt: skip
    return tuple(rows)


@checked
def nystrom_timings(table: Table) -> tuple[NystromTiming, ...]:
    """Return the medians of the Nystrom algorithms, by system, algorithm, sizes and ranks.

    Raises ``ValueError`` for missing columns or columns of different lengths.
    """
    keys = ("system", "alg", "n", "r", "nproc", "matmul1p2")
    columns = _columns(table, (*keys, "total_time", *_SUMS, *_MOVES))
    total = columns["total_time"].astype(float)
    communicate = np.sum([columns[name].astype(float) for name in (*_SUMS, *_MOVES)], axis=0)
    kept = np.isin(columns["alg"], list(_NYSTROMS)) & (total > 0)
    return tuple(
        NystromTiming(
            system=str(key[0]), algorithm=_NYSTROMS[str(key[1])], n=int(key[2]), r=int(key[3]),
            ranks=int(key[4]), p2=int(key[5]), runs=len(places),
            communicate=float(np.median(communicate[places])),
            total=float(np.median(total[places])),
        )
        for key, places in _groups(columns, keys, kept)
    )  # fmt: skip


@checked
def speedups(timings: Iterable[SketchTiming]) -> tuple[Speedup, ...]:
    """Return gathering over regenerating, for every configuration that has both."""
    found: dict[tuple[Any, ...], dict[str, SketchTiming]] = {}
    for row in timings:
        key = (row.system, row.threads, row.n1, row.n2, row.r, row.ranks)
        found.setdefault(key, {})[row.variant] = row
    return tuple(
        Speedup(
            key[0], key[1], key[2], key[4], key[5],
            min(both["gather"].runs, both["regenerate"].runs),
            both["gather"].total / both["regenerate"].total,
        )
        for key, both in sorted(found.items())
        if len(both) == 2
    )  # fmt: skip


@checked
def least_speedup(
    table: Table, least_runs: int, seed: int, resamples: int = 1000
) -> tuple[float, float, float]:
    """Return the least speed-up of the configurations with so many runs, and a 95 % interval.

    The interval is a bootstrap: the runs of every configuration are drawn again with replacement,
    and the least ratio of medians is taken anew. Raises ``ValueError`` as :func:`sketch_timings`.
    """
    parts = ("gen_b_time", "gather_b_time", "local_multiply_time")
    keys = ("system", "thread_per_proc", "a_rows", "a_cols", "b_cols", "nproc", "alg")
    columns = _columns(table, (*keys, *parts))
    total = np.sum([columns[name].astype(float) for name in parts], axis=0)
    kept = np.isin(columns["alg"], list(_SKETCHES)) & (total > 0)
    runs: dict[tuple[Any, ...], dict[str, Float[np.ndarray, " k"]]] = {}
    for key, places in _groups(columns, keys, kept):
        if len(places) >= least_runs:
            runs.setdefault(key[:-1], {})[str(key[-1])] = total[places]
    pairs = [(both["matmul1comm"], both["matmul1gen"]) for both in runs.values() if len(both) == 2]
    rng = np.random.default_rng(seed)

    def drawn(times: Float[np.ndarray, " k"]) -> Float[np.ndarray, " n"]:
        return np.median(rng.choice(times, (resamples, len(times))), axis=1)

    least = np.min([drawn(gather) / drawn(make) for gather, make in pairs], axis=0)
    value = min(float(np.median(gather) / np.median(make)) for gather, make in pairs)
    low, high = np.quantile(least, [0.025, 0.975])
    return value, min(float(low), value), max(float(high), value)


@checked
def strong_scaling(timings: Iterable[SketchTiming]) -> tuple[Scaling, ...]:
    """Return the parallel efficiency of regenerating, in every series of two or more rank counts.

    A series is one problem on one system with one number of threads; its base is its smallest
    number of ranks.
    """
    series: dict[tuple[Any, ...], list[SketchTiming]] = {}
    for row in timings:
        if row.variant == "regenerate":
            series.setdefault((row.system, row.threads, row.n1, row.n2, row.r), []).append(row)
    found = []
    for members in series.values():
        ordered = sorted(members, key=lambda row: row.ranks)
        base = ordered[0]
        found += [
            Scaling(
                row.system, row.threads, row.n1, row.r, row.ranks, row.runs, row.total,
                base.total * base.ranks / (row.total * row.ranks), row.generate / row.total,
            )
            for row in ordered
            if len(ordered) > 1
        ]  # fmt: skip
    return tuple(found)


def _columns(table: Table, needed: tuple[str, ...]) -> dict[str, Shaped[np.ndarray, " rows"]]:
    missing = [name for name in needed if name not in table]
    if missing:
        raise ValueError(f"table = without {missing}: the columns as published are needed")
    columns = {name: np.asarray(table[name]) for name in needed}
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        raise ValueError(f"table = columns of {sorted(lengths)} rows: equal lengths are allowed")
    return columns


def _groups(
    columns: dict[str, Shaped[np.ndarray, " rows"]],
    keys: tuple[str, ...],
    kept: Shaped[np.ndarray, " rows"],
) -> list[tuple[tuple[Any, ...], list[int]]]:
    found: dict[tuple[Any, ...], list[int]] = {}
    for place in np.flatnonzero(kept):
        found.setdefault(tuple(columns[name][place] for name in keys), []).append(int(place))
    return sorted(found.items())


def series(
    timings: Iterable[NystromTiming], system: str, algorithm: str, n: int, r: int
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """Return ranks and communication seconds of one algorithm, by increasing ranks.

    Raises
    ------
    ValueError
        When the table has no such runs.
    """
    rows = sorted(
        (row.ranks, row.communicate)
        for row in timings
        if (row.system, row.algorithm, row.n, row.r) == (system, algorithm, n, r)
    )
    if not rows:
        raise ValueError(f"system = {system!r} with {algorithm}, n = {n}, r = {r}: no such runs")
    return np.array([p for p, _ in rows], float), np.array([s for _, s in rows], float)
