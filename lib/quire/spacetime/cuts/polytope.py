"""The causal cuts and, inside them, the cuts of inertial frames: K and E.

A cut gives every site a reading time. It is consistent when no reading can have caused another:
|t_a - t_b| < L_ab, a polytope K. It belongs to an inertial observer when t_a = T + beta . p_a with
|beta| < 1, an ellipsoid E inside K. Both are taken relative to the first site.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from quire.checks import integer, real_array
from quire.spacetime.geometry.sites import NS_PER_KM, check_sites

_MOST_SAMPLES = 100_000_000
_BATCH = 200_000


@dataclass(frozen=True)
class Share:
    """A share estimated from random samples, with a 95 % interval (Wilson)."""

    share: float
    low: float
    high: float
    samples: int


def consistent(times_ns: Any, sites: Any) -> Bool[np.ndarray, " cuts"]:
    """Return which cuts, one row of reading times (ns) each, are causally consistent.

    Raises
    ------
    ValueError
        For times that are not finite or not one per site, or what is no `Sites`.
    """
    cuts = _cuts(times_ns, sites)
    apart = np.abs(cuts[:, :, None] - cuts[:, None, :])
    light = sites.distances_km * NS_PER_KM
    return (apart < light)[:, ~np.eye(len(sites), dtype=bool)].all(axis=1)


def cut_speeds(times_ns: Any, sites: Any) -> Float[np.ndarray, " cuts"]:
    """Return the least |beta| of an observer who makes each cut; infinite when none makes it.

    A cut belongs to an inertial frame exactly if this is below one. A cut of four sites that do not
    lie in a plane fixes beta; of fewer it leaves room, and the least is taken.

    Raises
    ------
    ValueError
        For times that are not finite or not one per site, or what is no `Sites`.
    """
    cuts = _cuts(times_ns, sites)
    places = sites.positions_ns
    delays = cuts[:, 1:] - cuts[:, :1]
    if len(sites) == 1:
        return np.zeros(len(cuts))
    inverse = np.linalg.pinv(places[1:], rcond=1e-9)
    beta = delays @ inverse.T
    missed = np.abs(beta @ places[1:].T - delays).max(axis=1)
    return np.where(missed <= 1e-6, np.linalg.norm(beta, axis=1), np.inf)


def inertial_share(sites: Any) -> float:
    """Return the exact share of causal cuts that belong to inertial frames, up to three sites.

    Two sites: 1, since every pair of spacelike readings is simultaneous to somebody. Three: the
    ellipse with area pi |det(d2, d3)| (twice the triangle's area) over the hexagon cut by the three
    light times; zero when the sites lie on a line.

    Raises
    ------
    ValueError
        For what is no `Sites`, or more than three sites (`sampled_inertial_share` takes them).
    """
    check_sites(sites)
    if len(sites) > 3:
        raise ValueError(f"sites = {len(sites)} of them: must be at most 3")
    if len(sites) < 3:
        return 1.0
    a, b, c = (sites.distances_km[i, j] * NS_PER_KM for i, j in ((0, 1), (0, 2), (1, 2)))
    places = sites.positions_ns
    twice_triangle = float(np.linalg.norm(np.cross(places[1], places[2])))
    # the box |x| < a, |y| < b without its two corners where |x - y| >= c, each a right triangle
    hexagon = 4 * a * b - (a + b - c) ** 2
    flat = twice_triangle <= 1e-9 * max(a, b, c) ** 2
    return 0.0 if flat else math.pi * twice_triangle / hexagon


def sampled_inertial_share(sites: Any, samples: Any, seed: Any) -> Share:
    """Return the share of causal cuts that belong to inertial frames, from random cuts in the box.

    Parameters
    ----------
    sites
        Two or more.
    samples
        Random cuts that are causally consistent, at least about a hundred for an interval.
    seed
        Of the random numbers.

    Raises
    ------
    ValueError
        For fewer than two sites, or a number of samples out of range.
    """
    check_sites(sites)
    if len(sites) < 2:
        raise ValueError(f"sites = {len(sites)}: must be two or more")
    wanted = integer("samples", samples, 1, _MOST_SAMPLES)
    random = np.random.default_rng(integer("seed", seed, 0))
    edges = sites.distances_km[0, 1:] * NS_PER_KM
    kept, inertial = 0, 0
    while kept < wanted:
        cuts = np.zeros((_BATCH, len(sites)))
        cuts[:, 1:] = random.uniform(-edges, edges, (_BATCH, len(edges)))
        cuts = cuts[consistent(cuts, sites)][: wanted - kept]
        kept += len(cuts)
        inertial += int((cut_speeds(cuts, sites) < 1).sum()) if len(cuts) else 0
    return _wilson(inertial, kept)


def _wilson(hits: int, samples: int) -> Share:
    z, share = 1.959964, hits / samples
    middle = (share + z * z / (2 * samples)) / (1 + z * z / samples)
    half = z * math.sqrt(share * (1 - share) / samples + z * z / (4 * samples**2))
    half /= 1 + z * z / samples
    return Share(
        share, max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share)), samples
    )


def _cuts(times_ns: Any, sites: Any) -> Float[np.ndarray, "cuts sites"]:
    check_sites(sites)
    cuts = real_array("times_ns", times_ns, 2)
    if cuts.shape[1] != len(sites):
        raise ValueError(f"times_ns = {cuts.shape[1]} columns: must be one per site ({len(sites)})")
    return cuts
