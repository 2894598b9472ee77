"""Structural vector autoregressions: random ones with known edges, and how well edges were found.

``X_t = X_t W + X_{t-1} A + E_t``: ``W[i, j]`` is the effect of series i on series j within a time
bin and has no cycle; ``A[i, j]`` that of the bin before.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from quire import checks
from quire.signatures import checked


@dataclass(frozen=True)
class Process:
    """A simulated process.

    Attributes
    ----------
    X
        The series, time by series, not standardised.
    W, A
        Effects within a bin, and from the bin before.
    """

    X: Float[np.ndarray, "t d"]
    W: Float[np.ndarray, "d d"]
    A: Float[np.ndarray, "d d"]


@dataclass(frozen=True)
class EdgeScores:
    """Found against true edges.

    Attributes
    ----------
    f1, precision, recall
        Of directed edges; 0 where nothing was found.
    hamming
        Structural Hamming distance: edges to add, remove or turn.
    found, true
        Number of edges.
    """

    f1: float
    precision: float
    recall: float
    hamming: int
    found: int
    true: int


@checked
def simulate_process(
    d: Any, bins: Any, seed: Any, degree: Any = 2.0, shift: tuple[int, float, int] | None = None
) -> Process:
    """Return a random process with about ``degree`` effects into a series, of both kinds together.

    Effects have sizes from 0.3 to 0.7 within a bin and 0.2 to 0.4 from the bin before, either sign,
    scaled so that the process is stable. A ``shift`` of (series, size, first bin) is added to the
    noise of one series, as a fault is.

    Raises
    ------
    ValueError
        For ``d < 2``, ``bins < 2``, a degree that is not positive, or a shift outside the process.
    """
    checks.integer("d", d, 2)
    checks.integer("bins", bins, 2)
    checks.integer("seed", seed, 0)
    checks.positive("degree", degree)
    rng = np.random.default_rng(seed)
    share = min(1.0, degree / (d - 1))
    order = rng.permutation(d)
    upper = np.triu(rng.random((d, d)) < share, 1)
    sizes = rng.uniform(0.3, 0.7, (d, d)) * rng.choice([-1.0, 1.0], (d, d))
    W = np.zeros((d, d))
    W[np.ix_(order, order)] = upper * sizes
    lagged = rng.random((d, d)) < min(1.0, 1.0 / d)
    A = lagged * rng.uniform(0.2, 0.4, (d, d)) * rng.choice([-1.0, 1.0], (d, d))
    inverse = np.linalg.inv(np.eye(d) - W)
    radius = float(np.abs(np.linalg.eigvals(A @ inverse)).max())
    if radius > 0.9:
        A *= 0.9 / radius
    warm = 50
    noise = rng.standard_normal((bins + warm, d))
    if shift is not None:
        series, size, first = shift
        checks.integer("shift[0]", series, 0, d - 1)
        checks.integer("shift[2]", first, 0, bins - 1)
        noise[warm + first :, series] += float(size)
    X = np.zeros((bins + warm, d))
    for t in range(1, bins + warm):
        X[t] = (X[t - 1] @ A + noise[t]) @ inverse
    return Process(X[warm:], W, A)


def standardised(X: Any) -> Float[np.ndarray, "t d"]:
    """Return series of mean 0 and variance 1; a constant one is 0 throughout.

    Raises
    ------
    ValueError
        For another shape, NaN or infinities.
    """
    values = checks.real_array("X", X, 2)
    centred = values - values.mean(axis=0)
    scale = np.abs(centred).max(axis=0)
    unit = centred / np.where(scale > 0, scale, 1.0)
    deviation = unit.std(axis=0)
    constant = (deviation < 1e-12) | (
        scale <= 1e-12 * np.maximum(1e-300, np.abs(values).max(axis=0))
    )
    return np.where(constant, 0.0, unit / np.where(constant, 1.0, deviation))


def distinct_columns(X: Any) -> tuple[list[int], dict[int, int]]:
    """Return the columns to keep, and for every other one the kept column that it equals.

    A constant column equals none and is dropped with the value -1.

    Raises
    ------
    ValueError
        For another shape, NaN or infinities.
    """
    values = checks.real_array("X", X, 2)
    kept: list[int] = []
    dropped: dict[int, int] = {}
    seen: dict[bytes, int] = {}
    for column in range(values.shape[1]):
        series = values[:, column] + 0.0  # -0.0 is 0.0
        if np.ptp(series) == 0:
            dropped[column] = -1
        elif (same := seen.setdefault(series.tobytes(), column)) != column:
            dropped[column] = same
        else:
            kept.append(column)
    return kept, dropped


def is_acyclic(edges: Any) -> bool:
    """Return whether a directed graph has no cycle, found by sorting it, not by a small h.

    Raises
    ------
    ValueError
        For a matrix that is not square.
    """
    left = np.asarray(edges, dtype=bool).copy()
    if left.ndim != 2 or left.shape[0] != left.shape[1]:
        raise ValueError(f"edges = an array of shape {left.shape}: must be square")
    alive = np.ones(len(left), dtype=bool)
    while alive.any():
        free = alive & ~left[alive].any(axis=0)
        if not free.any():
            return False
        alive &= ~free
    return True


def acyclic_part(W: Any) -> Float[np.ndarray, "d d"]:
    """Return the matrix without the weakest edges that close cycles, the strongest taken first."""
    values = checks.real_array("W", W, 2)
    d = len(values)
    reach = np.eye(d, dtype=bool)
    kept = np.zeros_like(values)
    order = np.argsort(-np.abs(values), axis=None, kind="stable")
    for i, j in zip(*np.unravel_index(order, values.shape), strict=True):
        if values[i, j] == 0 or i == j or reach[j, i]:
            continue
        kept[i, j] = values[i, j]
        reach |= np.outer(reach[:, i], reach[j])
    return kept


def edge_scores(found: Any, true: Any, threshold: Any = 0.0) -> EdgeScores:
    """Compare the edges of two weight matrices; a found weight counts above the threshold.

    Raises
    ------
    ValueError
        For matrices of two shapes, or a negative threshold.
    """
    estimate, truth = checks.real_array("found", found, 2), checks.real_array("true", true, 2)
    if estimate.shape != truth.shape:
        raise ValueError(
            f"found = shape {estimate.shape}: must have the shape of true, {truth.shape}"
        )
    threshold = checks.non_negative("threshold", threshold)
    edges, wanted = np.abs(estimate) > threshold, truth != 0
    right = int((edges & wanted).sum())
    precision = right / edges.sum() if edges.any() else 0.0
    recall = right / wanted.sum() if wanted.any() else 0.0
    f1 = 2 * right / (edges.sum() + wanted.sum()) if (edges | wanted).any() else 1.0
    differ = edges != wanted
    pairs = np.triu(differ | differ.T)
    hamming = int(pairs.sum())
    return EdgeScores(
        float(f1), float(precision), float(recall), hamming, int(edges.sum()), int(wanted.sum())
    )
