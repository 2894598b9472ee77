"""The 3 x 3 matrix of workload, router and pool, measured: what re-optimising one dimension saves.

The cells are ours: the paper's texts were not seen. A knob of the row's dimension moves over a
range; the fleet either stays as it was but for its numbers of GPUs (frozen), or the column's
dimension is chosen anew. The coupling gain is the difference of the two costs over the first cost,
in per cent, at the value of the knob where it is largest.

Knobs. Workload: all lengths shorter or longer. Router: the boundary some steps away from its best.
Pool: memory lost by both types of GPU alike, or by the type that the first fleet has most of.
Reactions. Workload: the longest requests are refused, each token at a price. Router: boundary and
gamma (gamma alone after the router's own knob). Pool: the types of both pools.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from quire.serving.planning import A100, H100, GpuProfile, Rules, lengths_of, plan_grid

DIMENSIONS = ("workload", "router", "pool")
BOUNDARIES = (1024, 2048, 3072, 4096, 6144, 8192, 12288, 16384)
GAMMAS = (1.0, 1.25, 1.5, 2.0)
REFUSED = (0.0, 0.005, 0.01, 0.02, 0.05)
RATE = 1000.0
LONGEST = 65536
"""Longer requests count as this long: the long pool's window."""
PRICE = 2.0
"""A refused token costs so many times what a token of the first fleet does, refusing nobody."""

SCALES = (0.7, 1.4, 2.0)
STEPS = (-2, -1, 1, 2)
LOSSES = (("both", 0.2), ("both", 0.5), ("own", 0.2), ("own", 0.5))


@dataclass(frozen=True)
class State:
    """A fleet's choices: the share refused, the router's, and the GPUs (short, long) by number."""

    refused: float | int
    boundary: int
    gamma: float | int
    short: int
    long: int


@dataclass(frozen=True)
class Cell:
    """A cell of the matrix on a trace.

    Attributes
    ----------
    trace, moved, reacts
        Its place.
    knob
        The value at which the gain is largest; where it is 0 everywhere, at which the next choice
        is nearest.
    gain, low, high
        Coupling gain in per cent, and 5 to 95 % of the resamples of the requests: each resample
        has its own largest value.
    next_best
        What the reacting dimension's best choice of another cost would cost more than the frozen
        fleet, per cent of the first cost, at that value (negative: it saves; infinite: there is
        none).
    pays_below
        In the workload's column: the highest price of a refused token, in costs of a token, at
        which refusing would pay for some value of the knob.
    samples
        The gain of each resample.
    """

    trace: str
    moved: str
    reacts: str
    knob: str
    gain: float | int
    low: float | int
    high: float | int
    next_best: float | int
    pays_below: float | int
    samples: tuple[float, ...]


Costs = dict[State, tuple[float, float, float]]
"""Of each state: dollars an hour of both pools and of the long one, tokens a second refused."""


def costs(total: Any, gpus: Sequence[GpuProfile]) -> Costs:
    """Return the costs of every state of a fleet that serves these lengths, 1,000 a second.

    Parameters
    ----------
    total
        Tokens of requests.
    gpus
        Types that either pool may have.
    """
    tokens = np.sort(np.minimum(np.asarray(total, dtype=np.int64), LONGEST))
    found = {}
    for share in REFUSED:
        kept = tokens[: tokens.size - round(share * tokens.size)]
        grid = plan_grid(
            lengths_of(kept),
            BOUNDARIES,
            GAMMAS,
            [RATE * kept.size / tokens.size],
            list(gpus),
            Rules(slo_ms=2000.0, leftover_lengths=True),
        )
        lost = RATE * float(tokens[kept.size :].sum()) / tokens.size
        cost = grid.cost()[:, :, 0]
        for i, j, s, k in np.ndindex(*cost.shape):
            state = State(share, int(grid.boundaries[i]), float(grid.gammas[j]), s, k)
            far = float(grid.long[i, j, 0, k] * grid.prices[k])
            found[state] = float(cost[i, j, s, k]), far, lost
    return found


def priced(table: Costs, price: float | int) -> dict[State, float]:
    """Return dollars an hour of every state, a refused token a second at ``price``."""
    return {state: dollars + price * lost for state, (dollars, _, lost) in table.items()}


@dataclass(frozen=True)
class Reaction:
    """What a reaction to one value of a knob saves, and what the next choice costs; per cent.

    ``pays_below`` is the price of a refused token, in costs of a token, below which refusing pays;
    0 where the column is another one.
    """

    knob: str
    gain: float | int
    next_best: float | int
    pays_below: float | int


def _shorter(gpu: GpuProfile, loss: float | int) -> GpuProfile:
    left = 1 - loss
    return replace(gpu, kv_blocks=int(gpu.kv_blocks * left), seats=int(gpu.seats * left))


Move = tuple[str, Costs, State]
"""A knob's value in words, the costs of every state then, and the frozen state."""


def _moves(tokens: np.ndarray, table: Costs, best: State) -> dict[str, list[Move]]:
    types = (A100, H100)
    dollars, far, _ = table[best]
    own = best.long if far > dollars / 2 else best.short
    told: dict[str, list[Move]] = {d: [] for d in DIMENSIONS}
    for scale in SCALES:
        longer = np.ceil(tokens * scale).astype(np.int64)
        told["workload"].append((f"lengths x {scale:g}", costs(longer, types), best))
    place = BOUNDARIES.index(best.boundary)
    for step in STEPS:
        if 0 <= place + step < len(BOUNDARIES):
            held = replace(best, boundary=BOUNDARIES[place + step])
            told["router"].append((f"B {held.boundary:,}", table, held))
    for who, loss in LOSSES:
        gpus = [_shorter(g, loss) if who == "both" or k == own else g for k, g in enumerate(types)]
        name = "both types" if who == "both" else types[own].name
        told["pool"].append((f"{name} -{100 * loss:.0f} %", costs(tokens, gpus), best))
    return told


def gains(total: Any, price: float | int = PRICE) -> dict[tuple[str, str], list[Reaction]]:
    """Return the reactions of every cell, one for each value of the row's knob.

    Parameters
    ----------
    total
        Tokens of requests.
    price
        Of a refused token.
    """
    tokens = np.minimum(np.asarray(total, dtype=np.int64), LONGEST)
    table = costs(tokens, (A100, H100))
    least = min(each[0] for state, each in table.items() if state.refused == 0)
    unit = least / (RATE * float(tokens.mean()))
    first = priced(table, price * unit)
    best = min(first, key=lambda s: first[s])
    start = first[best]
    moves = _moves(tokens, table, best)
    told: dict[tuple[str, str], list[Reaction]] = {}
    for knob, reacts in product(DIMENSIONS, DIMENSIONS):
        told[knob, reacts] = []
        for words, raw, held in moves[knob]:
            after = priced(raw, price * unit)
            frozen = after.get(held, np.inf)
            if not np.isfinite(frozen):
                continue
            free = [  # a fleet of the same cost is the same fleet: its long pool is empty
                s
                for s in after
                if abs(after[s] - frozen) > 1e-9 * frozen and _agrees(s, held, reacts, knob)
            ]
            more = 100 * (min((after[s] for s in free), default=np.inf) - frozen) / start
            pays = [
                (raw[held][0] - raw[s][0]) / (raw[s][2] - raw[held][2]) / unit
                for s in free
                if reacts == "workload" and raw[s][2] > raw[held][2]
            ]
            told[knob, reacts].append(
                Reaction(words, max(0.0, -more), more, max(pays, default=0.0))
            )
    return told


def _agrees(state: State, held: State, reacts: str, knob: str) -> bool:
    """Whether a state differs from the held one in the reacting dimension only."""
    same = {
        "workload": state.refused == held.refused,
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
    for key, reactions in value.items():
        top = min(reactions, key=lambda r: r.next_best)
        sample = tuple(max(r.gain for r in d[key]) for d in drawn)
        low, high = np.percentile(sample, [5, 95]) if sample else (top.gain, top.gain)
        pays = max(r.pays_below for r in reactions)
        cells.append(
            Cell(
                name,
                *key,
                top.knob,
                top.gain,
                float(low),
                float(high),
                top.next_best,
                pays,
                sample,
            )
        )
    return cells


STRUCTURE = {
    ("pool", "router"): "lost memory takes the same share of the slots of either window, and a "
    "boundary trades the one for the other",
}
"""Why a cell may be zero whatever the size of its knob."""


def zero_cells(cells: Sequence[Cell]) -> list[tuple[str, str]]:
    """Return the places (moved, reacts) whose gain is below 0.05 % on every trace."""
    places = dict.fromkeys((c.moved, c.reacts) for c in cells)
    return [
        place
        for place in places
        if all(c.gain < 0.05 for c in cells if (c.moved, c.reacts) == place)
    ]


def why_zero(cells: Sequence[Cell]) -> str:
    """Return, in words, which cells are zero on every trace, and whether that is structural.

    Zero is structural over a range where no value of the knob brings the next choice within 3 % of
    the first cost; it is the setting's where a price or a value near by would turn it.
    """
    told = []
    for place in zero_cells(cells):
        mine = [c for c in cells if (c.moved, c.reacts) == place]
        nearest = min(c.next_best for c in mine)
        if place[1] == "workload":
            pays = max(c.pays_below for c in mine)
            why = f"the setting's: refusing pays below a price of {pays:.2f}, {PRICE:g} is asked"
        elif nearest > 3:
            why = (
                f"structural over these ranges: the next choice costs {nearest:.1f} % more or above"
            )
            why += f"; {STRUCTURE[place]}" if place in STRUCTURE else ""
        else:
            why = f"the setting's: the next choice costs only {nearest:.1f} % more"
        told.append(f"{place[0]} then {place[1]} ({why})")
    some = sum(c.gain < 0.05 for c in cells)
    alike = sum(c.gain < 0.05 and c.next_best > 3 for c in cells)
    counts = (
        f" Of all {len(cells)} numbers {some} are zero; for {alike} of them no value of the knob "
        "brings the next choice within 3 % of the first cost."
    )
    return (
        f"Zero on every trace: {'; '.join(told)}." if told else "No cell is zero on every trace."
    ) + counts


def farthest(stored: Sequence[Cell], own: Sequence[Cell]) -> float:
    """Return the largest difference of gains, and of those resamples that both have."""
    told = [0.0]
    for a, b in zip(stored, own, strict=True):
        pairs = [(a.gain, b.gain), *zip(a.samples, b.samples, strict=False)]
        told += [abs(x - y) for x, y in pairs]
    return float(max(told))
