"""Plans by the million: a grid over boundary, gamma, rate and the two GPUs, in compiled code.

A pool depends on its own part of a cell alone: calibrations (exact sums over lengths) are one array
per boundary, gamma and GPU, and each number of GPUs is found once and used by many cells.
"""

from dataclasses import dataclass
from typing import Any, no_type_check

import numpy as np
from numba import njit, prange

from quire.checks import integers, real_array
from quire.serving.planning.calibration import Calibration, calibrate_by_sums
from quire.serving.planning.erlang import least_gpus_kernel, p99_wait_kernel
from quire.serving.planning.gpus import LARGEST, GpuProfile
from quire.serving.planning.lengths import Lengths
from quire.serving.planning.pools import NOBODY, Rules


@dataclass(frozen=True)
class Grid:
    """Plans on a grid.

    Attributes
    ----------
    boundaries, gammas, rates
        The axes; boundaries without a request below them are left out.
    short, long
        Numbers of GPUs: (boundary, gamma, rate, GPU) of the short pool, and of the long one.
    prices
        Dollars an hour of each GPU.
    meets_short, meets_long
        Whether P99 wait and mean prompt together are within the SLO, as `short` and `long`.
    """

    boundaries: np.ndarray
    gammas: np.ndarray
    rates: np.ndarray
    short: np.ndarray
    long: np.ndarray
    prices: np.ndarray
    meets_short: np.ndarray
    meets_long: np.ndarray

    @property
    def cells(self) -> int:
        """Boundaries x gammas x rates x GPUs x GPUs."""
        return self.short.size * self.prices.size

    def cost(self) -> np.ndarray:
        """Return dollars an hour: (boundary, gamma, rate, short GPU, long GPU); inf without SLO."""
        short = np.where(self.meets_short, self.short * self.prices, np.inf)
        far = np.where(self.meets_long, self.long * self.prices, np.inf)
        return short[..., :, None] + far[..., None, :]

    def cheapest(self) -> tuple[np.ndarray, np.ndarray]:
        """Return, for each rate, the least cost and the indices (B, gamma, short, long) of it."""
        cost = np.moveaxis(self.cost(), 2, 0)
        flat = cost.reshape(cost.shape[0], -1)
        at = flat.argmin(axis=1)
        return flat.min(axis=1), np.stack(np.unravel_index(at, cost.shape[1:]), axis=1)


@njit(cache=True, nogil=True, parallel=True)
@no_type_check
def _sizes(rate, share, gpu_rate, cv2, slots, prefill, limit, rho_max, availability, floor):
    """Numbers of GPUs, and whether each pool meets: (B, g, rate, gpu) from tables (B, g, gpu)."""
    nb, ng = share.shape
    out = np.zeros((nb, ng, rate.size, gpu_rate.shape[2]), np.int64)
    meets = np.ones(out.shape, np.bool_)
    for cell in prange(nb * ng):
        b, g = cell // ng, cell % ng
        for k in range(gpu_rate.shape[2]):
            for j in range(rate.size):
                lam = share[b, g] * rate[j]
                if lam > floor:
                    n = least_gpus_kernel(
                        lam, gpu_rate[b, g, k], limit, cv2[b, g, k], slots[b, g, k], rho_max
                    )
                    n = np.int64(np.ceil(n / availability))
                    out[b, g, j, k] = n
                    c, mu = n * slots[b, g, k], gpu_rate[b, g, k] / slots[b, g, k]
                    wait = p99_wait_kernel(c, lam, mu, cv2[b, g, k])
                    meets[b, g, j, k] = (wait + prefill[b, g, k]) * 1000 <= limit * 1000
    return out, meets


def plan_grid(
    lengths: Lengths,
    boundaries: Any,
    gammas: Any,
    rates: Any,
    gpus: list[GpuProfile],
    rules: Rules | None = None,
) -> Grid:
    """Return the smallest pools of every cell.

    Parameters
    ----------
    lengths
        Of all requests.
    boundaries, gammas, rates
        The axes: tokens, 1 or more, requests a second.
    gpus
        Profiles that either pool may have.
    rules
        SLO and caps; calibrations are exact whatever ``rules.draws`` says.

    Raises
    ------
    ValueError
        When no boundary has a request below it, or one is above the long window.
    """
    rules = rules or Rules()
    stretch = real_array("gammas", gammas, 1, least=1.0)
    lam = real_array("rates", rates, 1, above=0.0)
    asked = integers("boundaries", boundaries)
    if max(asked) > rules.long_window:
        raise ValueError(
            f"boundaries = ..., {max(asked)}: must be at most the window, {rules.long_window}"
        )
    if not gpus:
        raise ValueError("gpus = []: must hold at least one profile")
    points = np.array(lengths.tokens), np.array(lengths.shares)
    kept = [b for b in asked if points[1][points[0] <= b].max(initial=0.0) > 0]
    if not kept:
        raise ValueError(f"boundaries = {asked[:3]}: no request is that short")
    shape = (len(kept), stretch.size)
    share, edge = np.zeros(shape), np.zeros(shape, np.int64)
    for i, b in enumerate(kept):
        below = lengths.share(b)
        for j, g in enumerate(stretch):
            edge[i, j] = int(min(g * b, LARGEST))
            more = max(0.0, lengths.share(int(edge[i, j])) - below)
            share[i, j] = min(1.0, below + more * rules.safe_share)
    below_each = [lengths.up_to(b) for b in kept]
    above_each = {e: (e, lengths.above(e)) for e in {*edge.ravel().tolist(), *kept}}

    def beyond(b: int, e: int) -> tuple[int, Lengths | None]:
        told = above_each[e]
        return above_each[b] if told[1] is None and rules.leftover_lengths else told

    near = [
        [
            [calibrate_by_sums(each, b, k)] * stretch.size
            for b, each in zip(kept, below_each, strict=True)
        ]
        for k in gpus
    ]
    far = [
        [
            [_long(*beyond(b, int(e)), k, rules) for e in row]
            for b, row in zip(kept, edge, strict=True)
        ]
        for k in gpus
    ]
    slo = rules.slo_ms / 1000
    sizes, meets = [], []
    for table, part in ((near, share), (far, 1 - share)):
        mu, cv2, slots, prefill = (
            np.moveaxis(
                np.array([[[getattr(c, name) for c in row] for row in t] for t in table]), 0, -1
            )
            for name in ("gpu_rate", "cv2", "slots", "prefill_s")
        )
        floor = NOBODY if table is far else -1.0
        found, fits = _sizes(
            lam,
            part,
            mu,
            cv2,
            slots.astype(np.int64),
            prefill,
            slo,
            float(rules.rho_max),
            float(rules.availability),
            floor,
        )
        sizes.append(found)
        meets.append(fits)
    prices = np.array([k.dollars_per_hour for k in gpus], dtype=float)
    return Grid(np.array(kept), stretch, lam, sizes[0], sizes[1], prices, meets[0], meets[1])


def _long(edge: int, rest: Lengths | None, gpu: GpuProfile, rules: Rules) -> Calibration:
    if rest is None:
        return Calibration(0.01, 1.0, 1, 0.0)
    return calibrate_by_sums(rest, rules.long_window, gpu, max(1, edge))
