"""The slowest observer who reads given segments: the least norm in a polytope of velocities.

An inertial observer reads site a at t_a = T + beta . p_a, where beta is his velocity over c and p_a
the site's position in light nanoseconds. He reads segments [start_a, end_a) of all sites exactly
if l < beta . (p_b - p_a) < h for every pair, with l = start_b - end_a and h = end_b - start_a; and
if he must pass the anchor s at T, if start_b - T <= beta . (p_b - p_s) < end_b - T for every b.

The shortest beta lies on at most three of these planes (as many as space has dimensions). All
choices of planes are tried: with a handful of sites that is exact and quick.
"""

import math
from typing import Any, no_type_check

import numpy as np
from numba import njit

from quire.checks import real_array

_SLACK = 1e-6  # ns, by which a plane may be missed in rounding
_MOST_PLANES = 40


def slowest_beta(normals: Any, lows: Any, highs: Any) -> float:
    """Return the least |beta| with lows <= normals . beta <= highs, infinite when there is none.

    Parameters
    ----------
    normals
        One row of three per strip, light ns.
    lows, highs
        Limits in ns, one each per strip; they may be infinite.

    Raises
    ------
    ValueError
        For shapes that do not fit, NaN, a low above its high, or more than 20 strips.
    """
    planes = real_array("normals", normals, 2)
    low, high = np.asarray(lows), np.asarray(highs)
    if low.dtype.kind not in "iuf" or high.dtype.kind not in "iuf":
        raise ValueError(f"lows, highs = of {low.dtype}, {high.dtype}: must hold real numbers")
    low, high = low.astype(np.float64), high.astype(np.float64)
    if planes.shape[1] != 3 or low.shape != (len(planes),) or high.shape != low.shape:
        raise ValueError("normals, lows, highs: must be rows of three and one limit each per row")
    if not (low <= high).all():
        raise ValueError("lows: must not lie above highs")
    if 2 * len(planes) > _MOST_PLANES:
        raise ValueError(f"normals = {len(planes)} strips: must be at most {_MOST_PLANES // 2}")
    return float(np.linalg.norm(shortest(planes, low, high)))


@njit(cache=True)
@no_type_check
def shortest(normals, lows, highs):
    """Return the shortest vector inside all strips; of infinite parts when there is none."""
    strips = len(lows)
    best = np.zeros(3)
    if _inside(normals, lows, highs, best):
        return best
    best[:] = np.inf
    planes = np.empty(2 * strips, np.int64)
    values = np.empty(2 * strips)
    count = 0
    for k in range(strips):
        for value in (lows[k], highs[k]):
            if math.isfinite(value):
                planes[count], values[count] = k, value
                count += 1
    found = np.empty(3)
    for i in range(count):
        a, r = normals[planes[i]], values[i]
        aa = _dot(a, a)
        if aa < 1e-12:
            continue
        for d in range(3):
            found[d] = r * a[d] / aa
        _keep(best, normals, lows, highs, found)
        for j in range(i + 1, count):
            b, s = normals[planes[j]], values[j]
            ab, bb = _dot(a, b), _dot(b, b)
            gram = aa * bb - ab * ab
            if gram <= 1e-12 * aa * bb:
                continue
            u, v = (r * bb - s * ab) / gram, (s * aa - r * ab) / gram
            for d in range(3):
                found[d] = u * a[d] + v * b[d]
            _keep(best, normals, lows, highs, found)
            normal = _cross(a, b)
            for k in range(j + 1, count):
                c, t = normals[planes[k]], values[k]
                volume = _dot(normal, c)
                if volume * volume <= 1e-16 * aa * bb * _dot(c, c):
                    continue
                p, q = _cross(b, c), _cross(c, a)
                for d in range(3):
                    found[d] = (r * p[d] + s * q[d] + t * normal[d]) / volume
                _keep(best, normals, lows, highs, found)
    return best


@njit(cache=True)
@no_type_check
def _dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@njit(cache=True)
@no_type_check
def _cross(a, b):
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


@njit(cache=True)
@no_type_check
def _keep(best, normals, lows, highs, found):
    """Let ``found`` take the place of ``best`` when it is shorter and lies inside all strips."""
    if _dot(found, found) < _dot(best, best) and _inside(normals, lows, highs, found):
        best[:] = found


@njit(cache=True)
@no_type_check
def _inside(normals, lows, highs, point):
    for k in range(len(lows)):
        value = _dot(normals[k], point)
        if value < lows[k] - _SLACK or value > highs[k] + _SLACK:
            return False
    return True
