"""How accurate the sketch is: mean errors over seeds, with intervals, beside expectation bounds."""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy import stats

from quire.checks import integer
from quire.sketching.accuracy._nystrom import from_products, nystrom
from quire.sketching.accuracy.errors import (
    best_nystrom_bound,
    range_error,
    range_finder_bound,
)
from quire.sketching.accuracy.spectra import Spectrum, eigenvalues, matrix_of, rbf_gram
from quire.sketching.peers.scikit_learn import digits
from quire.sketching.programs.algorithms import sketch
from quire.sketching.random_matrix.blocks import Distribution, block


@dataclass(frozen=True)
class MeanError:
    """Mean errors over seeds, over their expectation bounds, with 95 % intervals of the mean."""

    spectrum: str
    entries: str
    nystrom: float  # nuclear-norm error over the bound of Tropp et al. 2017
    nystrom_low: float
    nystrom_high: float
    range_finder: float  # Frobenius error over the bound of Halko, Martinsson, Tropp 2011
    range_finder_low: float
    range_finder_high: float


@dataclass(frozen=True)
class EntryError:
    """The Nystrom error of some entries over that of others, mean of the seeds' ratios."""

    matrix: str
    entries: str
    over: str
    ratio: float
    low: float  # 95 % interval of the mean
    high: float


def present(spectra: Sequence[str]) -> tuple[str, ...]:
    """Return the spectra that can be made here: digits need scikit-learn."""
    return tuple(
        name for name in spectra if name != "digits" or importlib.util.find_spec("sklearn")
    )


def matrix_for(
    spectrum: str, n: int, seed: int
) -> tuple[Float[Array, "n n"], Float[np.ndarray, " n"]]:
    """Return a positive semidefinite matrix and its eigenvalues, largest first.

    ``"digits"`` is the RBF kernel of scikit-learn's 1797 digits, whatever n; the others are drawn
    with the eigenvalues of :func:`quire.sketching.eigenvalues`.
    """
    if spectrum == "digits":
        a = rbf_gram(digits())
        return a, np.asarray(jnp.linalg.eigvalsh(a))[::-1]
    values = eigenvalues(cast(Spectrum, spectrum), n)
    return matrix_of(values, seed), values


def nystrom_errors(
    a: Float[Array, "n n"], r: int, distribution: Distribution, seeds: Sequence[int]
) -> Float[np.ndarray, " seeds"]:
    """Return nuclear-norm errors, which are differences of traces: Nystrom never exceeds A."""
    trace = float(jnp.trace(a))
    return np.array(
        [
            trace - float(nystrom(a, r, seed, distribution=distribution).eigenvalues.sum())
            for seed in seeds
        ]
    )


def mean_errors(
    spectra: Sequence[str], entries: Sequence[Distribution], n: int, r: int, count: int, seed: int
) -> tuple[MeanError, ...]:
    """Return the mean errors over ``count`` seeds for every spectrum and kind of entries."""
    seeds = range(seed, seed + integer("count", count))
    rows = []
    for spectrum in spectra:
        a, values = matrix_for(spectrum, n, seed)
        bound = best_nystrom_bound(values, r)
        limit = min(range_finder_bound(values, r, rank) for rank in range(1, r - 1))
        trace = float(jnp.trace(a))
        for kind in entries:
            nuclear, ranges = [], []  # from one sketch for each seed
            for each in seeds:
                y = sketch(a, r, each, distribution=kind)
                omega = block(each, a.shape[0], r, distribution=kind, dtype=a.dtype)
                nuclear.append(trace - float(from_products(y, omega).eigenvalues.sum()))
                ranges.append(range_error(a, y))
            rows.append(
                MeanError(
                    spectrum, kind, *_mean(np.array(nuclear) / bound),
                    *_mean(np.array(ranges) / limit),
                )
            )  # fmt: skip
    return tuple(rows)


def entry_errors(n: int, r: int, count: int, seed: int) -> tuple[EntryError, ...]:
    """Return the errors of cheaper entries over others, on two kinds of matrices.

    The kernel of random points has a leading eigenvector close to the constant vector, which is
    the mean of uniform [0, 1) columns; the matrix ``poly1`` has no preferred direction. The
    same uniform entries with their mean taken off, ``uniform``, show what the mean alone does.
    """
    cloud = np.random.default_rng(seed).standard_normal((n, 8))
    matrices = {"kernel": rbf_gram(cloud), "poly1": matrix_for("poly1", n, seed)[0]}
    seeds = range(seed, seed + integer("count", count))
    rows = []
    for name, a in matrices.items():
        kinds: tuple[Distribution, ...] = ("gaussian", "rademacher", "uniform", "uniform01")
        pairs: tuple[tuple[Distribution, Distribution], ...] = (
            ("rademacher", "gaussian"),
            ("uniform01", "gaussian"),
            ("uniform01", "uniform"),
        )
        errors = {kind: nystrom_errors(a, r, kind, seeds) for kind in kinds}
        rows += [
            EntryError(name, kind, other, *_mean(errors[kind] / errors[other]))
            for kind, other in pairs
        ]  # fmt: skip
    return tuple(rows)


def constant_share(n: int, seed: int) -> float:
    """Return the cosine between the kernel's leading eigenvector and the constant vector."""
    cloud = np.random.default_rng(seed).standard_normal((n, 8))
    leading = np.asarray(jnp.linalg.eigh(rbf_gram(cloud))[1])[:, -1]
    return float(abs(leading.sum()) / np.sqrt(n))


def _mean(values: Float[np.ndarray, " seeds"]) -> tuple[float, float, float]:
    """Mean of the values, and its 95 % interval by Student's t; NaN ends for a single value."""
    mean = float(values.mean())
    if len(values) < 2:
        return mean, float("nan"), float("nan")
    low, high = stats.t.interval(
        0.95, len(values) - 1, mean, max(float(stats.sem(values)), 1e-15 * abs(mean))
    )
    return mean, float(low), float(high)
