"""Policy iteration for many farms at once in V2, where a setup that runs can not be cancelled.

A level ``n`` has one phase ``(a, s)`` for each pair of active servers and servers in setup. A
policy names, for each level and phase, the phase that its decision leads to. From level ``M + 1``
on every spare server is put in setup at once: then only the phases ``(a, K - a)`` remain, and the
end of the infinite queue is the one of :mod:`~quire.queueing.batched.full_setup`, without fees, for
those are paid when a setup starts. With ``H_n`` the values before a decision and ``J_n`` those
after it,

    nu J_n = cost - g + lambda H_{n+1} + busy H_{n-1} + rise H_n,    H_n = fee + J_n after it,

is eliminated from the top: ``H_n = U_n H_{n-1} + v_n + g z_n`` (ours).
"""

from dataclasses import replace
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from quire.checks import integer, positive
from quire.queueing.batched._points import Points
from quire.queueing.batched.free_cancel import OptimalPolicies, parameters, static_costs
from quire.queueing.batched.full_setup import Tail, full_setup_is_optimal, full_setups, tail
from quire.queueing.batched.levels import RESTART, End, Parameters, Scalar

TIE = 1e-10  # decisions whose values differ by less are tied: the current one stays
MOST_SERVERS = 12
"""Servers up to which the phases of a level, (K+1)(K+2)/2 of them, are eliminated at once."""


Indices = Int[np.ndarray, "..."] | Int[Array, "..."]


class Phases(NamedTuple):
    """The phases of one level, and where decisions and completed setups lead."""

    active: Indices
    setups: Indices
    completed: Indices  # the phase after one setup; itself if there is none
    full: Indices  # the phases (a, K - a), by a
    started: Indices  # setups started from row to column; -1 if barred
    released: Indices  # servers kept from row to column; -1 if barred


@lru_cache
def phases_of(servers: int) -> Phases:
    """Return the phases of a farm of ``servers`` servers."""
    pairs = [(a, s) for a in range(servers + 1) for s in range(servers - a + 1)]
    where = {pair: i for i, pair in enumerate(pairs)}
    a, s = np.array(pairs).T
    completed = np.array([where.get((a + 1, s - 1), where[a, s]) for a, s in pairs])
    full = np.array([where[a, servers - a] for a in range(servers + 1)])
    more = (a[:, None] == a) & (s >= s[:, None])
    fewer = (s[:, None] == s) & (a < a[:, None])
    started = np.where(more, s - s[:, None], -1)
    released = np.where(fewer, np.broadcast_to(a, fewer.shape), -1)
    return Phases(a, s, completed, full, started, released)


def _first_phase(servers: int) -> Int[np.ndarray, " active"]:
    """Return the phase without setups of each number of active servers."""
    return np.cumsum([0, *range(servers + 1, 0, -1)])[:-1]


def _phase(servers: int, active: np.ndarray, setups: np.ndarray) -> np.ndarray:
    """Return the number of the phase ``(a, s)``: they are ordered by a, then s."""
    return _first_phase(servers)[active] + setups


def _traced(servers: int) -> Phases:
    """Return the phases as JAX arrays, for indices that are traced."""
    return Phases(*(jnp.asarray(x) for x in phases_of(servers)))


class Values(NamedTuple):
    """Average cost and values before a decision on levels ``0..M+1``, zero in (0, 0, 0)."""

    cost: Scalar
    relative: Float[Array, "levels phases"]


def _after(
    p: Parameters, ph: Phases, h: Float[Array, "beyond phases"], cost: Scalar | float
) -> tuple[Float[Array, "levels phases"], Float[Array, "levels phases"]]:
    """Cost rate less ``cost`` plus drift of ``h`` after each decision, and the total rate."""
    levels = len(h) - 1
    n = jnp.arange(levels)[:, None]
    here, above = h[:levels], h[1:]
    below = jnp.concatenate([h[:1], h[: levels - 1]])
    busy = jnp.minimum(n, ph.active) * p.service_rate
    rise = ph.setups * p.setup_rate
    price = p.server * (ph.active + p.setup_share * ph.setups) + p.delay * n
    moved = p.arrival_rate * (above - here) + busy * (below - here)
    moved = moved + rise * (here[:, ph.completed] - here)
    return price - cost + moved, p.arrival_rate + busy + rise


def evaluate_committed(
    p: Parameters, end: End, to: Int[Array, "levels phases"], servers: int
) -> Values:
    """Return cost and values of the policy that leads from phase ``x`` of level n to ``to[n, x]``.

    From level ``len(to)`` on every spare server is in setup.
    """
    ph = _traced(servers)
    levels, count = to.shape
    spare = servers - ph.active - ph.setups
    started = jnp.maximum(ph.setups[to] - ph.setups, 0) * p.allocation
    # above: H_{M+1}(a, s) = C (K - a - s) + G H_M(., full) + constant + g gain
    U_end = jnp.zeros((count, count)).at[:, ph.full].set(end.G[ph.active])
    first = (U_end, p.allocation * spare + end.constant[ph.active], end.gain[ph.active])
    rise = ph.setups * p.setup_rate
    price = p.server * (ph.active + p.setup_share * ph.setups)

    def system(above, n, to_n, fee):  # type: ignore[no-untyped-def]
        U, v, z = above
        busy = jnp.minimum(n, ph.active) * p.service_rate
        chosen = jax.nn.one_hot(to_n, count)
        within = jnp.diag(p.arrival_rate + busy + rise + RESTART)
        within = within - rise[:, None] * chosen[ph.completed] - p.arrival_rate * (U @ chosen)
        paid = price + p.delay * n + rise * fee[ph.completed] + p.arrival_rate * (U @ fee + v)
        return within, busy, paid, 1 - p.arrival_rate * z

    def eliminate(above, row):  # type: ignore[no-untyped-def]
        n, to_n, fee = row
        within, busy, paid, gain = system(above, n, to_n, fee)
        right = jnp.concatenate([jnp.diag(busy), paid[:, None], -gain[:, None]], axis=1)
        found = jnp.linalg.solve(within, right)[to_n]
        link = (found[:, :count], found[:, count] + fee, found[:, count + 1])
        return link, link

    rows = (jnp.arange(levels), to, started)
    lowest, links = jax.lax.scan(
        eliminate, first, jax.tree.map(lambda x: x[1:], rows), reverse=True
    )
    within, _, paid, gain = system(lowest, 0, to[0], started[0])
    bordered = jnp.zeros((count + 1, count + 1))
    bordered = bordered.at[:count, :count].set(within).at[:count, count].set(gain)
    bordered = bordered.at[count, to[0, 0]].set(1.0)
    solution = jnp.linalg.solve(bordered, jnp.append(paid, -started[0, 0]))
    bottom, cost = solution[:count][to[0]] + started[0], solution[count]

    def substitute(below, link):  # type: ignore[no-untyped-def]
        U, v, z = link
        h = U @ below + v + cost * z
        return h, h

    top, rest = jax.lax.scan(substitute, bottom, links)
    U, v, z = first
    beyond = U @ top + v + cost * z
    return Values(cost, jnp.concatenate([bottom[None], rest, beyond[None]]))


def band_decisions(
    servers: int, levels: int, floor: Scalar | float, start: Scalar | float, keep: Scalar | float
) -> Int[Array, "levels phases"]:
    """Return the phases that a band policy leads to on levels ``0..levels-1``."""
    ph = _traced(servers)
    n = jnp.arange(levels)[:, None]
    low = jnp.clip(jnp.maximum(floor, n + start), 0, servers)
    high = jnp.clip(jnp.maximum(floor, n + keep), 0, servers)
    have = ph.active + ph.setups
    more = jnp.maximum(low - have, 0)
    kept = jnp.maximum(high, jnp.minimum(n, ph.active))
    # one setup more is the next phase
    here = jnp.arange(len(ph.active))
    first = jnp.asarray(_first_phase(servers))
    released = first[jnp.minimum(kept, ph.active).astype(int)] + ph.setups
    return jnp.where(ph.active > high, released, here + more).astype(int)


class _Search(NamedTuple):
    to: Int[Array, "levels phases"]
    values: Values
    iteration: Int[Array, ""]
    repeated: Bool[Array, ""]


def _allowed(ph: Phases, levels: int) -> Bool[Array, "levels phases phases"]:
    """Which phase each decision may lead to: starts always, releases of idle servers only."""
    busy = jnp.minimum(jnp.arange(levels)[:, None, None], ph.active[:, None])
    released = jnp.asarray(ph.released)
    return (jnp.asarray(ph.started) >= 0) | ((released >= 0) & (released >= busy))


@partial(jax.jit, static_argnames=("servers", "levels", "most"))
def _solve(
    p: Parameters,
    end: End,
    start: Int[Array, "points levels phases"],
    servers: int,
    levels: int,
    most: int,
) -> tuple[_Search, Float[Array, " points"], Float[Array, " points"]]:
    ph = _traced(servers)
    allowed = _allowed(ph, levels + 1)

    def one(p: Parameters, end: End, to: Int[Array, "levels phases"]):  # type: ignore[no-untyped-def]
        fee = jnp.maximum(ph.started, 0) * p.allocation

        def improve(search: _Search) -> _Search:
            values = evaluate_committed(p, end, search.to, servers)
            change, rate = _after(p, ph, values.relative, values.cost)
            h = values.relative[:-1]
            offers = jnp.where(allowed, fee + (h + change / rate)[:, None, :], jnp.inf)
            best = offers.min(axis=2)
            current = jnp.take_along_axis(offers, search.to[:, :, None], axis=2)[:, :, 0]
            keep = current <= best + TIE * (1 + jnp.abs(h))
            to = jnp.where(keep, search.to, offers.argmin(axis=2))
            return _Search(to, values, search.iteration + 1, (to == search.to).all())

        zero = Values(jnp.asarray(0.0), jnp.zeros((levels + 2, len(ph.active))))
        search = jax.lax.while_loop(
            lambda s: (s.iteration < 2) | (~s.repeated & (s.iteration < most)),
            improve,
            _Search(to, zero, jnp.asarray(0), jnp.asarray(False)),
        )
        return search, *_bounds(p, ph, search.values.relative, allowed, fee)

    return jax.vmap(one)(p, end, start)


@partial(jax.jit, static_argnames=("servers", "levels"))
def _constant(
    least: Float[Array, " points"], servers: int, levels: int
) -> Int[Array, "points levels phases"]:
    """Return the best constant number of servers, more of them while requests wait, per point."""
    return jax.vmap(lambda floor: band_decisions(servers, levels + 1, floor, 0.0, 0.0))(least)


def _bounds(
    p: Parameters,
    ph: Phases,
    h: Float[Array, "beyond phases"],
    allowed: Bool[Array, "levels phases phases"],
    fee: Float[Array, "phases phases"],
) -> tuple[Scalar, Scalar]:
    """Least and largest change by one optimality step of the uniformised chain.

    On level M + 1, where only full setup is decided, its alternatives enter the lower bound too.
    """
    levels = len(h) - 1
    # a decision may be taken twice at no loss: no state is worth more than where it can lead
    offers = jnp.where(allowed, fee + h[:levels, None, :], jnp.inf)
    h = h.at[:levels].set(offers.min(axis=2))
    change, rate = _after(p, ph, h, 0.0)
    uniform = 1.01 * rate.max()
    step = jnp.where(allowed, fee + (h[:levels] + change / uniform)[:, None, :], jnp.inf)
    moved = (step.min(axis=2) - h[:levels]) * uniform
    return moved.min(), moved.max()


def _first_beyond(
    batch: Points, end: Tail, h: np.ndarray, cost: np.ndarray, level: int
) -> Float[np.ndarray, " points"]:
    """Return the least change over all decisions on level M + 1, per point."""
    k = batch.servers
    ph = phases_of(k)
    last = h[:, level]
    full = [last[:, ph.full]]
    for n in (level + 1, level + 2):
        moved = np.einsum("pab,pb->pa", end.G, full[-1])
        full.append(moved + end.offset + end.slope * n + end.gain * cost[:, None])
    here, above = full[1], full[2]
    lam, mu, alpha = (
        x[:, None] for x in (batch.arrival_rate, batch.service_rate, batch.setup_rate)
    )
    a, s = ph.active, ph.setups
    missing = batch.allocation[:, None] * (k - a - s)
    price = batch.server[:, None] * (a + batch.setup_share[:, None] * s)
    price = price + batch.delay[:, None] * (level + 1)
    served = a * mu * (last - missing - here[:, a])
    ready = s * alpha * (here[:, np.minimum(a + 1, k)] - here[:, a])
    return (price + lam * (above - here)[:, a] + served + ready).min(axis=1)


def committed_optimum(
    batch: Points,
    *,
    levels: int | None = None,
    tolerance: float = 1e-6,
    max_iterations: int = 40,
    start: OptimalPolicies | None = None,
) -> OptimalPolicies:
    """Return optimal policies of all points of ``batch`` in V2, on the infinite queue.

    Parameters
    ----------
    batch
        The farms, of at most 12 servers.
    levels
        The last level whose decisions are free, at least K + 10; K + 64 unless given.
    tolerance
        A point is certified when its bounds are at most this far apart and full setup above the
        last free level is shown to be optimal. After a start the fee is paid whatever follows, so
        that condition is the one of V1 without a fee.
    max_iterations
        Improvements after which the search ends, proven or not.
    start
        What this function returned for as many points and levels: the search starts from those
        policies. The best constant number of servers unless given.

    Returns
    -------
    OptimalPolicies
        ``setups`` holds the servers in setup and ``keep`` those active after the decision, in each
        phase of :func:`phases_of`.

    Raises
    ------
    ValueError
        For a start of other points or levels.
    """
    k = integer("servers", batch.servers, 1, MOST_SERVERS)
    level = k + 64 if levels is None else integer("levels", levels, k + 10)
    tolerance = positive("tolerance", tolerance)
    max_iterations = integer("max_iterations", max_iterations, 1)
    no_fee = replace(batch, allocation=np.zeros(len(batch)))
    end = tail(no_fee, full_setups(k))
    shape = (len(batch), level + 1, (k + 1) * (k + 2) // 2)
    if start is None:
        first = _constant(jnp.asarray(static_costs(batch).argmin(axis=1) + 1.0), k, level)
    elif start.keep.shape == shape:
        first = jnp.asarray(_phase(k, start.keep, start.setups.astype(int)))
    else:
        raise ValueError(f"start = policies of shape {start.keep.shape}: must be {shape}")
    search, lower, upper = _solve(
        parameters(batch), _end(end, level), first, k, level, max_iterations
    )
    cost = np.asarray(search.values.cost)
    h = np.asarray(search.values.relative)
    ph = phases_of(k)
    low = np.minimum(np.asarray(lower), _first_beyond(batch, end, h, cost, level))
    certified = np.asarray(upper) - low <= tolerance
    certified &= full_setup_is_optimal(no_fee, end, h[:, level][:, ph.full], cost, level)
    to = np.asarray(search.to)
    return OptimalPolicies(
        cost=cost,
        lower=low,
        upper=np.asarray(upper),
        certified=certified,
        iterations=np.asarray(search.iteration),
        setups=np.asarray(ph.setups)[to].astype(float),
        keep=np.asarray(ph.active)[to],
        relative=h,
    )


def _end(end: Tail, level: int) -> End:
    return End(
        jnp.asarray(end.G),
        jnp.asarray(end.offset + end.slope * (level + 1)),
        jnp.asarray(end.gain),
    )


@partial(jax.jit, static_argnames=("servers", "levels"))
def _band_costs(  # type: ignore[no-untyped-def]
    p: Parameters, end: End, floor, start, keep, servers: int, levels: int
) -> Array:
    def one(p, end, *setting):  # type: ignore[no-untyped-def]
        to = band_decisions(servers, levels, *setting)
        return evaluate_committed(p, end, to, servers).cost

    over_candidates = jax.vmap(one, in_axes=(None, None, 0, 0, 0))
    return jax.vmap(over_candidates)(p, end, floor, start, keep)


def committed_band_costs(
    batch: Points,
    floor: Float[np.ndarray, "points candidates"],
    start: Float[np.ndarray, "points candidates"],
    keep: Float[np.ndarray, "points candidates"],
    *,
    patience: int = 8,
    at_once: int = 12,
) -> Float[np.ndarray, "points candidates"]:
    """Return the average cost of band policies in V2, one row of candidates per point, exact.

    Parameters
    ----------
    batch
        The farms.
    floor, start, keep
        Settings of the bands; ``start`` at least ``-patience``, ``keep`` at least ``start``.
    patience
        Most waiting requests that a band tolerates.
    at_once
        Candidates evaluated in one call.

    Raises
    ------
    ValueError
        For tables of different shapes, or a start or keep out of its range.
    """
    k = integer("servers", batch.servers, 1, MOST_SERVERS)
    shape = (len(batch), floor.shape[-1])
    if any(x.shape != shape for x in (floor, start, keep)):
        raise ValueError(f"floor, start and keep must have shape {shape}")
    if not (start >= -patience).all() or not (keep >= start).all() or not (floor >= 0).all():
        raise ValueError(
            f"start must be at least {-patience}, keep at least start, floor 0 or more"
        )
    levels = k + patience + 1
    end = tail(replace(batch, allocation=np.zeros(len(batch))), full_setups(k))
    given, above = parameters(batch), _end(end, levels - 1)
    width = at_once if floor.shape[1] > 1 else 1
    parts = []
    for at in range(0, floor.shape[1], width):
        part = [x[:, at : at + width] for x in (floor, start, keep)]
        part = [np.pad(x, ((0, 0), (0, width - x.shape[1])), mode="edge") for x in part]
        parts.append(np.asarray(_band_costs(given, above, *part, k, levels)))
    return np.concatenate(parts, axis=1)[:, : floor.shape[1]]
