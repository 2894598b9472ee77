"""Embedding signals as caps of a sphere: which overlap, and how often both fire.

A signal with reference vector mu and threshold theta fires for the unit vectors x with x . mu >=
theta: a cap of angle phi = arccos theta. Two caps overlap exactly where the angle between their
centres is below phi_1 + phi_2. How often both fire depends on the queries; here they are uniform
(kappa 0) or von Mises-Fisher around m. A softmax over similarities with a threshold of one half or
more lets at most one signal fire.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.special import betainc, gammaln, ive

from quire.checks import integer, non_negative, positive, real_array


@dataclass(frozen=True)
class Cap:
    """A signal: fires where x . centre >= threshold.

    Attributes
    ----------
    centre
        A unit vector.
    threshold
        From -1 to 1.
    """

    centre: np.ndarray
    threshold: float | int

    def __post_init__(self) -> None:
        vector = real_array("centre", self.centre, 1)
        length = float(np.linalg.norm(vector))
        if vector.size < 3 or abs(length - 1) > 1e-6:
            raise ValueError(
                f"centre = {vector.size} numbers of norm {length:g}: must be a unit vector, 3 "
                "or more"
            )
        object.__setattr__(self, "centre", vector / length)
        theta = real_array("threshold", [self.threshold], 1)[0]
        if not -1 <= theta <= 1:
            raise ValueError(f"threshold = {theta:g}: must be from -1 to 1")

    @property
    def angle(self) -> float:
        """The cap's angle, radians."""
        return float(np.arccos(self.threshold))


def overlap(a: Cap, b: Cap) -> bool:
    """Return whether some query fires both, by the angles alone."""
    _same_size(a, b)
    between = float(np.arccos(np.clip(a.centre @ b.centre, -1, 1)))
    return between <= a.angle + b.angle + 1e-12


def cap_share(dimension: Any, threshold: Any) -> float:
    """Return the share of the sphere in a cap: half an incomplete beta function.

    Parameters
    ----------
    dimension
        Of the vectors, 2 or more.
    threshold
        theta, from -1 to 1.

    Raises
    ------
    ValueError
        For a threshold outside -1 to 1.
    """
    d = integer("dimension", dimension, 2)
    theta = real_array("threshold", [threshold], 1)[0]
    if not -1 <= theta <= 1:
        raise ValueError(f"threshold = {theta:g}: must be from -1 to 1")
    half = 0.5 * float(betainc((d - 1) / 2, 0.5, 1 - theta * theta))
    return half if theta >= 0 else 1 - half


def firing_probability(
    a: Cap, b: Cap | None = None, mean: Any = None, kappa: Any = 0.0, points: Any = 200
) -> float:
    """Return the chance that a query fires ``a``, or both ``a`` and ``b``.

    The plane of the two centres holds all that matters: its coordinates have density
    (1 - |y|^2)^((d - 4) / 2) times the queries' weight, integrated by Gauss and Legendre.

    Parameters
    ----------
    a, b
        The caps; None for a alone.
    mean
        Direction of the queries, a unit vector; not needed for kappa 0.
    kappa
        Concentration of the queries, zero or more; 0 for uniform ones.
    points
        Nodes along either axis.

    Raises
    ------
    ValueError
        For queries without a direction, vectors of different sizes, or opposite caps.
    """
    k, n = non_negative("kappa", kappa), integer("points", points, 16)
    if k > 0 and mean is None:
        raise ValueError("mean = None: queries with kappa above 0 have a direction")
    m = Cap(a.centre if mean is None else mean, 0.0).centre
    other = (
        Cap(m if abs(m @ a.centre) < 1 - 1e-9 else _any_other(a.centre), -1.0) if b is None else b
    )
    _same_size(a, other)
    if m.size != a.centre.size:
        raise ValueError(f"mean = {m.size} numbers: must be {a.centre.size}, as the centres")
    d = a.centre.size
    cosine = float(np.clip(a.centre @ other.centre, -1, 1))
    side = other.centre - cosine * a.centre
    sine = float(np.linalg.norm(side))
    if sine < 1e-9:  # one axis: the stricter of the two, where they look the same way
        if cosine < 0 and b is not None and a.threshold > -float(other.threshold):
            return 0.0
        if b is not None and cosine < 0:
            raise ValueError("b: opposite centres whose caps overlap are not supported")
        strict = a if b is None or a.threshold >= other.threshold else other
        return firing_probability(strict, None, m, k, n)
    plane = np.stack([a.centre, side / sine])
    inside = plane @ m
    outside = float(np.sqrt(max(0.0, 1 - inside @ inside)))
    nodes, weights = leggauss(n)

    def mass(low: float, floor: Any) -> float:
        u = low + (1 - low) * (nodes + 1) / 2
        wu = weights * (1 - low) / 2
        top = np.sqrt(np.maximum(1 - u * u, 0))
        # v = top sin(phi): smooth up to the rim, where the density of three dimensions is infinite
        first = np.arcsin(np.clip(floor(u) / np.maximum(top, 1e-300), -1, 1))
        phi = first[:, None] + (np.pi / 2 - first)[:, None] * (nodes + 1) / 2
        wv = (np.pi / 2 - first)[:, None] / 2 * weights
        across = np.maximum(top[:, None] * np.cos(phi), 1e-150)
        v, rest = top[:, None] * np.sin(phi), across * across
        log = (d - 3) * np.log(across) + k * (u[:, None] * inside[0] + v * inside[1])
        log += _log_rest(k * outside * np.sqrt(rest), d)
        return float((np.exp(log - offset) * wv * wu[:, None]).sum())

    offset = _log_total(d, k)
    theta = float(other.threshold)
    return mass(float(a.threshold), lambda u: (theta - u * cosine) / sine)


def _log_total(d: int, kappa: float) -> float:
    """Log of the integral of the density over the whole plane: that of a mean inside it."""
    # int (1-|y|^2)^((d-4)/2) dy = pi / (d/2 - 1) at kappa 0
    base = np.log(np.pi) - np.log(d / 2 - 1)
    return float(base + _log_rest(kappa, d + 2))


def _log_rest(z: Any, d: int) -> Any:
    """Log of E exp(z s), s one coordinate of a uniform vector in d - 2 dimensions."""
    nu = (d - 2) / 2 - 1
    z = np.asarray(z, dtype=float)
    small = z < 1e-8
    safe = np.where(small, 1.0, z)
    with np.errstate(divide="ignore"):
        bessel = np.log(ive(nu, safe))
    full = gammaln(nu + 1) + bessel + safe + nu * np.log(2 / safe)
    full = np.where(np.isfinite(full), full, safe * safe / (2 * (d - 2)))
    return np.where(small, 0.0, full)


def _any_other(vector: np.ndarray) -> np.ndarray:
    other = np.zeros(vector.size)
    other[int(np.argmin(np.abs(vector)))] = 1.0
    side = other - (other @ vector) * vector
    return side / np.linalg.norm(side)


def _same_size(a: Cap, b: Cap) -> None:
    if a.centre.size != b.centre.size:
        raise ValueError(f"centres of {a.centre.size} and {b.centre.size} numbers: must be alike")


def draw_queries(mean: Any, kappa: Any, count: Any, seed: Any) -> np.ndarray:
    """Return random queries, rows of unit vectors, around a mean; uniform for kappa 0."""
    m = Cap(mean, 0.0).centre
    n, rng = integer("count", count), np.random.default_rng(integer("seed", seed, 0))
    if non_negative("kappa", kappa) == 0:
        drawn = rng.standard_normal((n, m.size))
        return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    w = _along(float(kappa), m.size, n, rng)
    side = rng.standard_normal((n, m.size))
    side -= np.outer(side @ m, m)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    return np.asarray(w[:, None] * m + np.sqrt(np.maximum(1 - w * w, 0))[:, None] * side)


def _along(kappa: float, d: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the component along the mean, by Wood's rejection from a beta."""
    b = (d - 1) / (2 * kappa + np.hypot(2 * kappa, d - 1))
    x0 = (1 - b) / (1 + b)
    c = kappa * x0 + (d - 1) * np.log(1 - x0 * x0)
    found = np.zeros(0)
    while found.size < n:
        z = rng.beta((d - 1) / 2, (d - 1) / 2, 2 * n)
        w = (1 - (1 + b) * z) / (1 - (1 - b) * z)
        keep = kappa * w + (d - 1) * np.log(1 - x0 * w) - c >= np.log(rng.random(2 * n))
        found = np.append(found, w[keep])
    return found[:n]


def softmax_fires(queries: Any, centres: Any, temperature: Any, threshold: Any = 0.5) -> np.ndarray:
    """Return which signals fire by softmax(similarity / temperature) > threshold.

    Parameters
    ----------
    queries, centres
        Rows of unit vectors.
    temperature
        Above 0; towards 0 the regions are Voronoi's cells.
    threshold
        One half or more for at most one signal.
    """
    x, mu = real_array("queries", queries, 2), real_array("centres", centres, 2)
    z = x @ mu.T / positive("temperature", temperature)
    z -= z.max(axis=1, keepdims=True)
    p = np.exp(z)
    p /= p.sum(axis=1, keepdims=True)
    return np.asarray(p > real_array("threshold", [threshold], 1)[0])
