"""Each family of simple policies with its parameters tuned, for many farms at once.

The costs are exact for the infinite queue of the free-cancel model. A gap measured with an untuned
policy says nothing, so every family is tuned on the very objective it is compared on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from quire.checks import instance, integer, real_array
from quire.queueing.batched._points import Points
from quire.queueing.batched.free_cancel import end_values, parameters, static_costs
from quire.queueing.batched.full_setup import full_setups, tail
from quire.queueing.batched.levels import End, LevelPolicy, Parameters, Scalar, evaluate_rule
from quire.signatures import checked

PATIENCE = 8  # most waiting requests that a tuned policy tolerates before it starts a server
AT_ONCE = 12  # candidates evaluated in one call
TIE = 1e-10  # costs whose ratio is nearer to 1 count as equal: rounding must not choose

Table = Float[np.ndarray, "points candidates"]


@dataclass(frozen=True)
class Tuned:
    """The best member of one family at each point."""

    family: str
    cost: Float[np.ndarray, " points"]
    settings: Float[np.ndarray, "points settings"]

    def take(self, rows: Int[np.ndarray, " chosen"]) -> "Tuned":
        """Return the same family at some of the points."""
        return Tuned(self.family, self.cost[rows], self.settings[rows])


def _band_rule(k: int, floor: Scalar, start: Scalar, hold: Scalar, release: Scalar) -> LevelPolicy:
    n = jnp.arange(k + PATIENCE + 1)[:, None]
    a = jnp.arange(k + 1)[None, :]
    low = jnp.clip(jnp.maximum(floor, n + start), 0, k)
    high = jnp.clip(jnp.maximum(floor, n + hold), 0, k)
    keep = jnp.where(a > high, jnp.maximum(high, jnp.minimum(n, a)), a)
    timed = release * jnp.maximum(a - jnp.maximum(n, floor), 0)
    return LevelPolicy(jnp.maximum(low - a, 0), keep.astype(int), timed)


def _dual_rule(k: int, up: Scalar, down: Scalar, levels: int) -> LevelPolicy:
    n = jnp.arange(levels + 1)[:, None]
    a = jnp.arange(k + 1)[None, :]
    more = (n > up * a) & (n > 0) & (a < k)
    settled = jnp.clip(jnp.floor(n / jnp.maximum(down, 1e-9) + 1e-9), 0, k)
    keep = jnp.where(n < down * a, jnp.maximum(settled, jnp.minimum(n, a)), a)
    setups = more.astype(float)
    return LevelPolicy(setups, jnp.minimum(keep, a).astype(int), jnp.zeros_like(setups))


@partial(jax.jit, static_argnames="k")
def _band_costs(  # type: ignore[no-untyped-def]
    p: Parameters, end: End, floor, start, hold, release, k: int
) -> Array:
    def one(p, end, *setting):  # type: ignore[no-untyped-def]
        return evaluate_rule(p, end, _band_rule(k, *setting)).cost

    over_candidates = jax.vmap(one, in_axes=(None, None, 0, 0, 0, 0))
    return jax.vmap(over_candidates)(p, end, floor, start, hold, release)


@partial(jax.jit, static_argnames=("k", "levels"))
def _dual_costs(  # type: ignore[no-untyped-def]
    p: Parameters, end: End, up, down, k: int, levels: int
) -> Array:
    def one(p, end, up, down):  # type: ignore[no-untyped-def]
        return evaluate_rule(p, end, _dual_rule(k, up, down, levels)).cost

    return jax.vmap(jax.vmap(one, in_axes=(None, None, 0, 0)))(p, end, up, down)


@checked
def band_costs(
    batch: Points, floor: Table, start: Table, keep: Table, release_rate: Table | None = None
) -> Table:
    """Return the average cost of band policies, one row of candidates per point.

    ``release_rate`` lets idle servers go at that rate as well; with ``keep = K`` that is
    delayed-off.

    Raises
    ------
    ValueError
        For tables of different shapes or with entries that are not finite, a start below -8, a
        negative floor or release rate, or a keep below the start.
    """
    tables = [np.asarray(x, dtype=float) for x in (floor, start, keep)]
    tables.append(np.zeros_like(tables[0]) if release_rate is None else np.asarray(release_rate))
    floor, start, keep, release = tables
    if any(x.shape != floor.shape or x.ndim != 2 or len(x) != len(batch) for x in tables):
        raise ValueError(f"the tables must have one row for each of {len(batch)} points, all alike")
    if not all(np.isfinite(x).all() for x in tables):
        raise ValueError("floor, start, keep, release_rate: every entry must be finite")
    if start.min() < -PATIENCE:
        raise ValueError(f"start = {start.min():g} must be at least {-PATIENCE}")
    if floor.min() < 0 or release.min() < 0 or (keep < start).any():
        raise ValueError("floor and release_rate must be zero or more, keep at least start")
    k = batch.servers
    end = end_values(tail(batch, full_setups(k)), k + PATIENCE)
    given = parameters(batch)
    costs = []
    width = 1 if floor.shape[1] == 1 else AT_ONCE
    for at in range(0, floor.shape[1], width):
        part = [_widened(x[:, at : at + width], width) for x in (floor, start, keep, release)]
        costs.append(np.asarray(_band_costs(given, end, *part, k)))
    return np.concatenate(costs, axis=1)[:, : floor.shape[1]]


def _widened(table: Table, width: int) -> Float[np.ndarray, "points wide"]:
    """Repeat the last candidate up to ``width``: every call has one compiled shape."""
    return np.pad(table, ((0, 0), (0, width - table.shape[1])), mode="edge")


@checked
def dual_costs(batch: Points, up: Table, down: Table) -> Table:
    """Return the average cost of dual-threshold policies, one row of candidates per point.

    Raises
    ------
    ValueError
        When a threshold is negative or not finite, or the tables are not alike.
    """
    k = instance("batch", batch, Points).servers
    up, down = real_array("up", up, 2, above=0), real_array("down", down, 2, least=0)
    if up.shape != down.shape or len(up) != len(batch):
        raise ValueError(
            f"up = {up.shape}, down = {down.shape}: must both have a row for each of "
            f"{len(batch)} points"
        )
    levels = max(k, int(np.ceil(up.max() * k)))
    end = end_values(tail(batch, (np.arange(k + 1) < k).astype(float)), levels)
    return np.asarray(_dual_costs(parameters(batch), end, up, down, k, levels))


def _pick(costs: Table, *settings: Table) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return each point's least cost and its setting: the first of those that cost the same."""
    least = np.nanmin(costs, axis=1, keepdims=True)
    best = np.argmax(costs <= least * (1 + TIE), axis=1)
    rows = np.arange(len(best))
    return costs[rows, best], [setting[rows, best] for setting in settings]


def _around(batch: Points, width: int) -> Int[np.ndarray, "points floors"]:
    """``width`` floors around each point's best constant number of servers."""
    best = static_costs(batch).argmin(axis=1) + 1
    low = np.clip(best - (2 * width) // 3, 0, max(0, batch.servers + 1 - width))
    return low[:, None] + np.arange(min(width, batch.servers + 1))


@checked
def tune_static(batch: Points) -> Tuned:
    """Return the best constant number of servers (Erlang C)."""
    costs = static_costs(batch)
    best = costs.argmin(axis=1)
    return Tuned("static", costs.min(axis=1), best[:, None] + 1.0)


BandCosts = Callable[[Points, Table, Table, Table], Table]


@checked
def tune_bands(batch: Points, rounds: int = 2, cost_of: BandCosts = band_costs) -> list[Tuned]:
    """Return on-off, floor(q), spare(q, r) and band(q, r, d), each at its best settings.

    Spare is searched on a grid (floors around the best constant number of servers, all ``r`` from
    -8 to 2); band starts from there and improves one setting after the other over its whole range,
    ``rounds`` times: a local optimum, so the true gap of the family may be smaller. ``cost_of``
    says in which model: V1 unless :func:`~quire.queueing.batched.committed.committed_band_costs`
    is given.
    """
    count, k = len(batch), batch.servers
    starts = np.array([-8, -5, -3, -2, -1, 0, 1, 2.0])
    floors = _around(batch, 12)
    floor = np.repeat(floors, len(starts), axis=1).astype(float)
    start = np.tile(starts, (count, floors.shape[1]))
    floor, start = (np.pad(x, ((0, 0), (0, 1))) for x in (floor, start))  # the last is on-off
    grid = cost_of(batch, floor, start, np.maximum(start, 0))
    on_off = grid[:, -1]
    grid, floor, start = grid[:, :-1], floor[:, :-1], start[:, :-1]
    level = np.where(start == 0, grid, np.inf)
    floor_cost, (floor_q,) = _pick(level, floor)
    floor_q = np.where(on_off < floor_cost * (1 - TIE), 0, floor_q)
    floor_cost = np.minimum(floor_cost, on_off)
    cost, (q, r) = _pick(grid, floor, start)
    spare = Tuned("spare", np.minimum(cost, floor_cost), np.stack([q, r], axis=1))
    d = np.maximum(r, 0)
    for _ in range(rounds):
        keeps = np.unique(np.linspace(0, k, min(k + 1, 12)).round())
        q, r, d, cost = _improve(batch, cost_of, q, r, d, cost, "keep", keeps)
        q, r, d, cost = _improve(batch, cost_of, q, r, d, cost, "start", np.arange(-8.0, 3.0))
        q, r, d, cost = _improve(batch, cost_of, q, r, d, cost, "floor", floors.astype(float))
    return [
        Tuned("on-off", on_off, np.zeros((count, 0))),
        Tuned("floor", floor_cost, floor_q[:, None]),
        spare,
        Tuned("band", np.minimum(cost, spare.cost), np.stack([q, r, d], axis=1)),
    ]


def _improve(  # type: ignore[no-untyped-def]
    batch: Points, cost_of, q, r, d, cost, which: str, values: np.ndarray
):
    """Vary one setting of every point's band over ``values``, the others fixed."""
    offered = np.broadcast_to(values, (len(batch), values.shape[-1]))
    fixed = {"floor": q, "start": r, "keep": d}
    settings = {name: np.repeat(x[:, None], offered.shape[1], 1) for name, x in fixed.items()}
    settings[which] = offered.astype(float)
    settings["keep"] = np.maximum(settings["keep"], np.maximum(settings["start"], 0))
    costs = cost_of(batch, settings["floor"], settings["start"], settings["keep"])
    found, picked = _pick(costs, settings["floor"], settings["start"], settings["keep"])
    better = found < cost * (1 - TIE)
    q, r, d = (np.where(better, new, old) for new, old in zip(picked, (q, r, d), strict=True))
    return q, r, d, np.where(better, found, cost)


@checked
def tune_delayed_off(batch: Points, rates: int = 8) -> Tuned:
    """Return delayed-off, best over ``rates`` release rates from 0.01 to 10 and five floors."""
    rates = integer("rates", rates, 1)
    floors = _around(batch, 5).astype(float)
    choices = np.logspace(-2, 1, rates)
    floor = np.repeat(floors, rates, axis=1)
    release = np.tile(choices, (len(batch), floors.shape[1]))
    zero = np.zeros_like(floor)
    costs = band_costs(batch, floor, zero, np.full_like(floor, batch.servers), release)
    cost, picked = _pick(costs, release, floor)
    return Tuned("delayed-off", cost, np.stack(picked, axis=1))


@checked
def tune_dual(batch: Points) -> Tuned:
    """Return dual thresholds, best on a grid: up in 0.75..2, down in 0..1, down < up."""
    ups, downs = np.array([0.75, 1, 1.25, 1.5, 2]), np.array([0, 0.25, 0.5, 0.75, 1])
    up, down = (np.tile(m.ravel(), (len(batch), 1)) for m in np.meshgrid(ups, downs))
    costs = np.where(down < up, dual_costs(batch, up, np.minimum(down, up)), np.inf)
    cost, picked = _pick(costs, up, down)
    return Tuned("dual", cost, np.stack(picked, axis=1))


@checked
def tune_all(batch: Points) -> list[Tuned]:
    """Return every family of simple policies, tuned."""
    return [tune_static(batch), *tune_bands(batch), tune_delayed_off(batch), tune_dual(batch)]
