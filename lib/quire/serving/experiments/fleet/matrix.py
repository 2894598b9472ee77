"""The 3 x 3 matrix of workload, router and pool, measured: what re-optimising one dimension saves.

The cells are ours: the paper's texts were not seen. A knob of the row's dimension moves; the fleet
either stays as it was but for its numbers of GPUs (frozen), or the column's dimension is chosen
anew.
The coupling gain is the difference of the two costs over the first cost, in per cent.
"""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from quire.serving.planning import A100, H100, GpuProfile, Rules, lengths_of, plan_grid

DIMENSIONS = ("workload", "router", "pool")
BOUNDARIES = (1024, 2048, 4096, 6144, 8192, 16384)
GAMMAS = (1.0, 1.5, 2.0)
RATE = 1000.0


@dataclass(frozen=True)
class State:
    """A fleet's choices: admission, the router's, and the GPUs (short, long) by number."""

    trim: bool
    boundary: int
    gamma: float | int
    short: int
    long: int


@dataclass(frozen=True)
class Cell:
    """A cell of the matrix: coupling gain in per cent, bootstrap interval, frozen loss."""

    trace: str
    moved: str
    reacts: str
    gain: float | int
    low: float | int
    high: float | int
    loss: float | int


def costs(total: Any, scale: float | int, small: bool) -> dict[State, float]:
    """Return the cost of every state of a fleet.

    Parameters
    ----------
    total
        Tokens of requests.
    scale
        Factor of all lengths: the workload's knob.
    small
        Whether a fifth of each GPU's memory is taken away: the pool's knob.
    """
    tokens = np.minimum(np.ceil(np.asarray(total) * scale).astype(np.int64), 65536)
    gpus = [_smaller(g) if small else g for g in (A100, H100)]
    found = {}
    for trim in (False, True):
        # admission refuses the longest 2 % and pays for each what two mean requests cost
        kept = np.sort(tokens)[: int(0.98 * tokens.size)] if trim else tokens
        grid = plan_grid(
            lengths_of(kept),
            BOUNDARIES,
            GAMMAS,
            [RATE * (0.98 if trim else 1.0)],
            gpus,
            Rules(slo_ms=2000.0),
        )
        cost = grid.cost()[:, :, 0] * (1.04 if trim else 1.0)
        for i, j, s, k in np.ndindex(*cost.shape):
            state = State(trim, int(grid.boundaries[i]), float(grid.gammas[j]), s, k)
            found[state] = float(cost[i, j, s, k])
    return found


def _smaller(gpu: GpuProfile) -> GpuProfile:
    return type(gpu)(
        **{**vars(gpu), "kv_blocks": gpu.kv_blocks * 4 // 5, "seats": gpu.seats * 4 // 5}
    )


def gains(total: Any) -> dict[tuple[str, str], tuple[float, float]]:
    """Return (coupling gain, frozen loss) of every cell, in per cent of the first optimum."""
    base = costs(total, 1.0, False)
    best = min(base, key=lambda s: base[s])
    start = base[best]
    moved = {"workload": costs(total, 1.4, False), "pool": costs(total, 1.0, True), "router": base}
    told = {}
    for knob, reacts in product(DIMENSIONS, DIMENSIONS):
        table = moved[knob]
        held = best
        if knob == "router":  # the boundary is set one step down, as by a stale or careful rule
            place = BOUNDARIES.index(best.boundary)
            held = State(
                best.trim, BOUNDARIES[max(0, place - 1)], best.gamma, best.short, best.long
            )
        frozen = table.get(held, np.inf)
        free = [s for s in table if _agrees(s, held, reacts, knob)]
        again = min(table[s] for s in free)
        told[knob, reacts] = (100 * (frozen - again) / start, 100 * (frozen - start) / start)
    return told


def _agrees(state: State, held: State, reacts: str, knob: str) -> bool:
    """Whether a state differs from the held one in the reacting dimension only."""
    same = {
        "workload": state.trim == held.trim,
        "router": (state.boundary, state.gamma) == (held.boundary, held.gamma),
        "pool": (state.short, state.long) == (held.short, held.long),
    }
    if knob == reacts == "router":  # the boundary was moved: compression alone may answer
        return same["workload"] and same["pool"] and state.boundary == held.boundary
    return all(ok for name, ok in same.items() if name != reacts)


def matrix(name: str, total: Any, resamples: int, seed: int) -> list[Cell]:
    """Return the nine cells of a trace, with bootstrap intervals over its requests (5 to 95 %)."""
    tokens = np.asarray(total)
    rng = np.random.default_rng([seed, 33])
    value = gains(tokens)
    drawn = [gains(rng.choice(tokens, tokens.size)) for _ in range(resamples)]
    cells = []
    for key, (gain, loss) in value.items():
        sample = [d[key][0] for d in drawn]
        low, high = np.percentile(sample, [5, 95]) if sample else (gain, gain)
        cells.append(Cell(name, *key, gain, float(low), float(high), loss))
    return cells
