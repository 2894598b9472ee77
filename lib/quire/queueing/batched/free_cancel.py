"""Policy iteration for many farms at once in V1, with two-sided bounds on each optimal cost.

The free-cancel model on the infinite queue: every spare server is in setup above the last level
``M``, and one optimality step on the levels below gives the bounds (see
:func:`full_setup_is_optimal` for above).
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from quire.checks import integer, positive
from quire.queueing.batched._points import Points
from quire.queueing.batched.full_setup import (
    Tail,
    full_setup_is_optimal,
    full_setups,
    tail,
    truncated,
)
from quire.queueing.batched.levels import (
    End,
    LevelPolicy,
    Parameters,
    Scalar,
    Values,
    drift,
    refine,
    start_worth,
)
from quire.signatures import checked

TIE = 1e-10  # two decisions whose values differ by less are tied: the current one stays


@dataclass(frozen=True)
class OptimalPolicies:
    """Optimal policies of a batch; ``lower <= g* <= upper`` holds where ``certified``."""

    cost: Float[np.ndarray, " points"]
    lower: Float[np.ndarray, " points"]
    upper: Float[np.ndarray, " points"]
    certified: Bool[np.ndarray, " points"]
    iterations: Int[np.ndarray, " points"]
    setups: Float[np.ndarray, "points levels phases"]
    keep: Int[np.ndarray, "points levels phases"]
    relative: Float[np.ndarray, "points beyond phases"]  # one level more


class _Search(NamedTuple):
    full: Bool[Array, "levels phases"]
    keep: Int[Array, "levels phases"]
    values: Values
    iteration: Int[Array, ""]
    repeated: Bool[Array, ""]


def _rule(full: Bool[Array, "levels phases"], keep: Int[Array, "levels phases"]) -> LevelPolicy:
    spare = full.shape[1] - 1 - jnp.arange(full.shape[1])
    setups = jnp.where(full, spare, 0).astype(float)
    return LevelPolicy(setups, keep, jnp.zeros_like(setups))


def _release_offers(h: Float[Array, "levels phases"], k: int) -> Float[Array, "low phases phases"]:
    """``h`` after releasing from ``a`` down to ``b`` on levels below ``K``; infinite if barred."""
    n = jnp.arange(k)[:, None, None]
    a = jnp.arange(k + 1)[None, :, None]
    b = jnp.arange(k + 1)[None, None, :]
    return jnp.where((b < a) & (b >= n), h[:k, None, :], jnp.inf)


def _improve(p: Parameters, search: _Search) -> _Search:
    h = search.values.relative
    levels, phases = search.full.shape
    k = phases - 1
    a = jnp.arange(phases)
    worth = start_worth(p, h[:levels])
    scale = TIE * (1 + jnp.abs(h[:levels]))
    full = jnp.where(jnp.abs(worth) <= p.setup_rate * scale, search.full, worth < 0)
    full = full & (a < k)
    setups = jnp.where(full, k - a, 0).astype(float)
    total = p.arrival_rate + setups * p.setup_rate
    total = total + jnp.minimum(jnp.arange(levels)[:, None], a) * p.service_rate
    stay = (drift(p, h, setups) - search.values.cost) / total  # value of keeping, less h
    offers = _release_offers(h, k) - h[:k, :, None]
    least = offers.min(axis=2)
    target = offers.argmin(axis=2)
    old = search.keep[:k]
    old_offer = jnp.take_along_axis(offers, old[:, :, None], axis=2)[:, :, 0]
    released = old != a
    target = jnp.where(released & (old_offer <= least + scale[:k]), old, target)
    slack = jnp.where(released, scale[:k], -scale[:k])
    drop = least < stay[:k] + slack
    keep = search.keep.at[:k].set(jnp.where(drop, target, a))
    # what is released decides nothing about setups: leave those as they were
    full = jnp.where(keep == a, full, search.full)
    same = (full == search.full).all() & (keep == search.keep).all()
    return _Search(full, keep, search.values, search.iteration + 1, same)


def _bounds(p: Parameters, search: _Search) -> tuple[Scalar, Scalar]:
    """One optimality step at the end: least and largest change."""
    h = search.values.relative
    levels, phases = search.full.shape
    k = phases - 1
    # releasing is free, so the values must not fall by it
    lowest = jnp.minimum(h[:k], _release_offers(h, k).min(axis=2))
    dropped = (_release_offers(h, k).min(axis=2) <= h[:k]) | (search.keep[:k] != jnp.arange(phases))
    h = h.at[:k].set(lowest)
    worth = start_worth(p, h[:levels])
    setups = jnp.where(worth < 0, k - jnp.arange(phases), 0).astype(float)
    change = drift(p, h, setups)
    idle = jnp.zeros((levels, phases), dtype=bool).at[:k].set(dropped)
    return change.min(), jnp.where(idle, -jnp.inf, change).max()


@partial(jax.jit, static_argnames=("levels", "most"))
def _solve(
    p: Parameters, end: End, least: Int[Array, " points"], levels: int, most: int
) -> tuple[_Search, LevelPolicy, Float[Array, " points"], Float[Array, " points"]]:
    def one(p: Parameters, end: End, least: Int[Array, ""]):  # type: ignore[no-untyped-def]
        phases = end.G.shape[0]
        n = jnp.arange(levels + 1)[:, None]
        a = jnp.arange(phases)[None, :]
        # the best constant number of servers, more of them while requests wait
        full = (a < jnp.maximum(n, least)) & (a < phases - 1)
        keep = jnp.where(a > least, jnp.maximum(jnp.minimum(n, a), least), a)
        keep = jnp.where(n >= phases - 1, a, keep)

        def improve(search: _Search) -> _Search:
            # each evaluation starts from the last values: only the change is subject to rounding
            rule = _rule(search.full, search.keep)
            values = refine(p, end, rule, search.values)
            return _improve(p, search._replace(values=values))

        start = jnp.zeros((levels + 2, phases)).at[-1].set(end.constant)
        first = _Search(
            full, keep, Values(jnp.asarray(0.0), start), jnp.asarray(0), jnp.asarray(False)
        )
        search = jax.lax.while_loop(
            lambda s: (s.iteration < 2) | (~s.repeated & (s.iteration < most)), improve, first
        )
        return search, _rule(search.full, search.keep), *_bounds(p, search)

    return jax.vmap(one)(p, end, least)


def end_values(end: Tail, level: int) -> End:
    """Return the tail as it meets the last level below it."""
    return End(
        jnp.asarray(end.G),
        jnp.asarray(end.offset + end.slope * (level + 1)),
        jnp.asarray(end.gain),
    )


def parameters(batch: Points) -> Parameters:
    """Return the batch as JAX arrays."""
    return Parameters(**{name: jnp.asarray(col) for name, col in batch.columns().items()})


@checked
def optimum(
    batch: Points,
    *,
    levels: int | None = None,
    infinite: bool = True,
    tolerance: float = 1e-6,
    max_iterations: int = 25,
) -> OptimalPolicies:
    """Return optimal free-cancel policies of all points of ``batch`` (one compilation per shape).

    Parameters
    ----------
    batch
        The farms.
    levels
        The last level whose decisions are free, at least K + 10; K + 64 unless given.
    infinite
        Above the last level every spare server is in setup, exactly; otherwise arrivals above it
        are lost.
    tolerance
        A point is certified when its bounds are at most this far apart and full setup above is
        shown to be optimal: policies that tie may alternate, so the bounds, not the repetition,
        are the proof.
    max_iterations
        Improvements after which the search ends, proven or not.
    """
    k = batch.servers
    level = k + 64 if levels is None else integer("levels", levels, k + 10)
    tolerance = positive("tolerance", tolerance)
    max_iterations = integer("max_iterations", max_iterations, 1)
    end = tail(batch, full_setups(k)) if infinite else truncated(batch)
    least = _best_constant(batch)
    search, rule, lower, upper = _solve(
        parameters(batch), end_values(end, level), jnp.asarray(least), level, max_iterations
    )
    cost = np.asarray(search.values.cost)
    relative = np.asarray(search.values.relative)
    certified = np.asarray(upper) - np.asarray(lower) <= tolerance  # False for NaN
    if infinite:
        certified &= full_setup_is_optimal(batch, end, relative[:, level], cost, level)
    return OptimalPolicies(
        cost=cost,
        lower=np.asarray(lower),
        upper=np.asarray(upper),
        certified=certified,
        iterations=np.asarray(search.iteration),
        setups=np.asarray(rule.setups),
        keep=np.asarray(rule.keep),
        relative=relative,
    )


@checked
def static_costs(batch: Points) -> Float[np.ndarray, "points servers"]:
    """Return the average cost of 1..K constant servers (Erlang C), infinite where too few."""
    load = batch.arrival_rate / batch.service_rate
    blocking = np.ones_like(load)
    table = np.full((len(batch), batch.servers), np.inf)
    for k in range(1, batch.servers + 1):
        blocking = load * blocking / (k + load * blocking)
        enough = load < k
        waiting = k * blocking / np.where(enough, k - load * (1 - blocking), 1)
        requests = load + waiting * load / np.where(enough, k - load, 1)
        table[:, k - 1] = np.where(enough, batch.server * k + batch.delay * requests, np.inf)
    return table


def _best_constant(batch: Points) -> Int[np.ndarray, " points"]:
    return static_costs(batch).argmin(axis=1) + 1
