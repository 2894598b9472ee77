"""Measured records and what is learned from them: Silverbox, tanks, heat exchanger, cells."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import scipy.special
from jaxtyping import Float

from quire.checks import integer
from quire.world_model.causal.graphs import CausalGraph, causal_graph, d_separated
from quire.world_model.learning import output_error, tanks
from quire.world_model.learning.statistics import Learner, solve, statistics

ARROW, TRAIN = slice(0, 40_575), 40_650
Column = Float[np.ndarray, " samples"]
# Sachs et al.'s consensus: twenty arrows.
CONSENSUS = (
    "erk>akt mek>erk pip2>pkc pip3>akt pip3>pip2 pip3>plc pka>akt pka>erk pka>jnk pka>mek pka>p38 "
    "pka>raf pkc>jnk pkc>mek pkc>p38 pkc>pka pkc>raf plc>pip2 plc>pkc raf>mek"
)


@dataclass(frozen=True)
class SilverboxRow:
    """A model of the Silverbox and its free-run errors (mV)."""

    model: str
    coefficients: int
    arrow_mv: float
    inside_mv: float
    multisine_mv: float
    seconds: float


def silverbox(
    u: Column, y: Column, train: int, iterations: int
) -> tuple[list[SilverboxRow], Float[np.ndarray, "9"]]:
    """Return three models by free-run error, and the coefficients of the best.

    Parameters
    ----------
    u, y
        The record (V): the arrow first, multisines from sample 40,650 on.
    train
        Samples of multisine to learn from.
    iterations
        Levenberg-Marquardt steps of the free-run fits.
    """
    last = _trained_to(u, train)
    a, b = u[TRAIN:last], y[TRAIN:last]
    inside = int(np.argmax(np.abs(y[ARROW]) > np.abs(b).max()))
    unseen = slice(min(last + 20, len(u) - 2000), min(last + 20 + 8192, len(u)))
    rows = []

    def told(name: str, count: int, theta: Float[np.ndarray, "9"], took: float) -> None:
        arrow, within, other = (
            1e3 * output_error.free_run_rmse(theta, u[part], y[part])
            for part in (ARROW, slice(0, inside), unseen)
        )
        rows.append(SilverboxRow(name, count, arrow, within, other, took))

    started = time.process_time()
    features, targets = output_error.regression(a, b)
    one_step = solve(statistics(features, targets), 1e-12)
    closed = time.process_time() - started
    linear = np.zeros(9)
    linear[list(output_error.LINEAR)] = solve(
        statistics(features[:, list(output_error.LINEAR)], targets), 1e-12
    )
    started = time.process_time()
    line = output_error.fit_free_run(linear, a, b, iterations, output_error.LINEAR).theta
    told("linear, free-run fit", len(output_error.LINEAR), line, time.process_time() - started)
    told("cubic, one-step fit", 9, one_step, closed)
    started = time.process_time()
    best = output_error.fit_free_run(one_step, a, b, iterations).theta
    told("cubic, free-run fit", 9, best, closed + time.process_time() - started)
    return rows, best


def silverbox_seconds(u: Column, y: Column, train: int, iterations: int) -> float:
    """Return the processor seconds in which the best model is learned once more.

    Parameters
    ----------
    u, y, train, iterations
        As in `silverbox`.
    """
    part = slice(TRAIN, _trained_to(u, train))
    started = time.process_time()
    one_step = solve(statistics(*output_error.regression(u[part], y[part])), 1e-12)
    output_error.fit_free_run(one_step, u[part], y[part], iterations)
    return time.process_time() - started


def _trained_to(u: Column, train: int) -> int:
    return min(TRAIN + integer("train", train, 1000), len(u) - 2000)


def latency(
    theta: Float[np.ndarray, "9"], u: Column, y: Column, rounds: int
) -> tuple[Float[np.ndarray, " rounds"], Float[np.ndarray, " rounds"]]:
    """Return microseconds a step in a compiled run and of a call from Python, for each round."""
    count = min(40_575, len(u))
    a, b = u[:count], y[:count]
    output_error.free_run(theta, a, b)
    inside, calls = [], []
    for _ in range(integer("rounds", rounds)):
        started = time.process_time()
        output_error.free_run(theta, a, b)
        inside.append(1e6 * (time.process_time() - started) / (count - 2))
        started = time.process_time()
        for _ in range(200):
            output_error.free_run(theta, a[:3], b[:3])
        calls.append(1e6 * (time.process_time() - started) / 200)
    return np.array(inside), np.array(calls)


@dataclass(frozen=True)
class TanksRow:
    """Two tanks fitted from one seed's starts: free-run errors (V), with and without overflow."""

    seed: int
    overflow_fit: float
    overflow: float
    none_fit: float
    none: float


def two_tanks(
    fit: tuple[Column, Column], test: tuple[Column, Column], starts: int, seeds: int, seed: int
) -> list[TanksRow]:
    """Return errors on the fitted and on the unseen record, once per seed of the starts."""
    rows = []
    for k in range(integer("seeds", seeds)):
        errors: list[float] = []
        for overflow in (True, False):
            found = tanks.fit_tanks(*fit, starts=starts, seed=seed + k, overflow=overflow)
            errors += [found.rmse, tanks.tanks_rmse(found, *test)]
        rows.append(TanksRow(k, *errors))
    return rows


def exchanger_features(
    flow: Column, temperature: Column, delay: int = 3
) -> tuple[Float[np.ndarray, "rows 4"], Float[np.ndarray, " rows"]]:
    """Return the features (T, q, q T, 1) of an energy balance, and the next temperature."""
    t = temperature - temperature.mean()
    now, q = t[delay:-1], flow[: len(t) - delay - 1]
    return np.column_stack([now, q, q * now, np.ones_like(now)]), t[delay + 1 :]


@dataclass(frozen=True)
class Forgotten:
    """How many forgotten sets differ in a bit from learning anew, by the way of forgetting."""

    sets: int
    whole: int
    floating: int
    one_by_one: int
    seconds_forget: float
    seconds_anew: float


def forget_sets(
    features: Float[np.ndarray, "rows d"],
    targets: Float[np.ndarray, " rows"],
    sets: int,
    shards: int,
    seed: int,
) -> Forgotten:
    """Return what random sets of shards leave behind, three ways.

    Whole-number statistics are taken back shard by shard and compared, bit for bit, with statistics
    that are computed anew from the kept rows. The controls take the shards' sums out of floating
    sums, in the order in which they were added, and row by row.
    """
    rng = np.random.default_rng(integer("seed", seed, 0))
    parts = np.array_split(np.arange(len(targets)), integer("shards", shards, 2))
    learner = Learner()
    for k, rows in enumerate(parts):
        learner = learner.learn(f"{k:03d}", statistics(features[rows], targets[rows]))
    z = np.column_stack([features, targets])
    floating = sum((z[rows].T @ z[rows] for rows in parts), np.zeros((z.shape[1],) * 2))
    whole = loose = single = 0
    forget = anew = 0.0
    for _ in range(integer("sets", sets)):
        gone = rng.choice(len(parts), size=int(rng.integers(1, len(parts) // 4 + 1)), replace=False)
        started = time.process_time()
        left = learner
        for k in gone:
            left = left.forget(f"{k:03d}")
        assert left.total is not None
        theta = solve(left.total)
        forget += time.process_time() - started
        kept = np.concatenate([rows for k, rows in enumerate(parts) if k not in set(gone.tolist())])
        started = time.process_time()
        again = solve(statistics(features[kept], targets[kept]))
        anew += time.process_time() - started
        whole += theta.tobytes() != again.tobytes()
        fresh = sum(
            (z[rows].T @ z[rows] for k, rows in enumerate(parts) if k not in set(gone.tolist())),
            np.zeros((z.shape[1],) * 2),
        )
        less, rowwise = floating.copy(), floating.copy()
        for k in gone:
            less -= z[parts[k]].T @ z[parts[k]]
            for row in z[parts[k]]:
                rowwise -= np.outer(row, row)
        loose += less.tobytes() != fresh.tobytes()
        single += rowwise.tobytes() != fresh.tobytes()
    return Forgotten(sets, whole, loose, single, forget / sets, anew / sets)


@dataclass(frozen=True)
class Independence:
    """An independence that a graph implies, and what cells say: partial correlation and p."""

    first: str
    second: str
    given: str
    correlation: float
    p: float
    rejected: bool


def implied_independences(
    cells: Float[np.ndarray, "cells proteins"], names: list[str], level: float = 0.05
) -> list[Independence]:
    """Return the pairs that the consensus graph does not join, given the later one's parents.

    Partial correlations of logarithms, Fisher's z, Holm's correction.
    """
    graph = _consensus()
    pairs = []
    for j, b in enumerate(graph.nodes):
        for a in graph.nodes[:j]:
            if (a, b) not in graph.directed:
                given = graph.parents(b)
                assert d_separated(graph, [a], [b], given)
                pairs.append((a, b, given))
    return _tested(cells, names, pairs, level)


def joined_pairs(
    cells: Float[np.ndarray, "cells proteins"], names: list[str], level: float = 0.05
) -> list[Independence]:
    """Return the same test for the pairs that the graph joins, given the effect's other parents."""
    graph = _consensus()
    pairs = [
        (a, b, tuple(p for p in graph.parents(b) if p != a)) for a, b in sorted(graph.directed)
    ]
    return _tested(cells, names, pairs, level)


def _consensus() -> CausalGraph:
    return causal_graph([(a, b) for a, b in (e.split(">") for e in CONSENSUS.split())])


def _tested(
    cells: Float[np.ndarray, "cells proteins"],
    names: list[str],
    pairs: list[tuple[str, str, tuple[str, ...]]],
    level: float,
) -> list[Independence]:
    logs = np.log(cells)
    found = []
    for a, b, given in pairs:
        columns = np.array([names.index(n) for n in (a, b, *given)])
        precision = np.linalg.inv(np.corrcoef(logs[:, columns].T))
        r = float(-precision[0, 1] / np.sqrt(precision[0, 0] * precision[1, 1]))
        z = np.arctanh(r) * np.sqrt(len(logs) - len(given) - 3)
        found.append((a, b, ", ".join(given), r, float(2 * scipy.special.ndtr(-abs(z)))))
    order = np.argsort([row[4] for row in found])
    rejected = np.zeros(len(found), dtype=bool)
    for rank, k in enumerate(order):
        if found[k][4] > level / (len(found) - rank):
            break
        rejected[k] = True
    return [Independence(*row, bool(no)) for row, no in zip(found, rejected, strict=True)]
