"""Policy iteration for many farms at once, with two-sided bounds on each optimal cost.

The free-cancel model on the infinite queue: all setups race above the last level ``M``, and one
optimality step on the levels below gives the bounds (see :func:`racing_is_optimal` for above).
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from quire.queueing.levels import (
    End,
    Parameters,
    Rule,
    Scalar,
    Values,
    drift,
    refine,
    start_worth,
)
from quire.queueing.points import Points
from quire.queueing.racing import Tail, racing_is_optimal, racing_setups, tail, truncated

TIE = 1e-10  # two decisions whose values differ by less are tied: the current one stays


@dataclass(frozen=True)
class BatchOptimum:
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
    race: Bool[Array, "levels phases"]
    keep: Int[Array, "levels phases"]
    values: Values
    iteration: Int[Array, ""]
    repeated: Bool[Array, ""]


def _rule(race: Bool[Array, "levels phases"], keep: Int[Array, "levels phases"]) -> Rule:
    spare = race.shape[1] - 1 - jnp.arange(race.shape[1])
    setups = jnp.where(race, spare, 0).astype(float)
    return Rule(setups, keep, jnp.zeros_like(setups))


def _release_offers(h: Float[Array, "levels phases"], k: int) -> Float[Array, "low phases phases"]:
    """``h`` after releasing from ``a`` down to ``b`` on levels below ``K``; infinite if barred."""
    n = jnp.arange(k)[:, None, None]
    a = jnp.arange(k + 1)[None, :, None]
    b = jnp.arange(k + 1)[None, None, :]
    return jnp.where((b < a) & (b >= n), h[:k, None, :], jnp.inf)


def _improve(p: Parameters, search: _Search) -> _Search:
    h = search.values.relative
    levels, phases = search.race.shape
    k = phases - 1
    a = jnp.arange(phases)
    worth = start_worth(p, h[:levels])
    scale = TIE * (1 + jnp.abs(h[:levels]))
    race = jnp.where(jnp.abs(worth) <= p.setup_rate * scale, search.race, worth < 0)
    race = race & (a < k)
    setups = jnp.where(race, k - a, 0).astype(float)
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
    race = jnp.where(keep == a, race, search.race)
    same = (race == search.race).all() & (keep == search.keep).all()
    return _Search(race, keep, search.values, search.iteration + 1, same)


def _bounds(p: Parameters, search: _Search) -> tuple[Scalar, Scalar]:
    """One optimality step at the end: least and largest change."""
    h = search.values.relative
    levels, phases = search.race.shape
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
) -> tuple[_Search, Rule, Float[Array, " points"], Float[Array, " points"]]:
    def one(p: Parameters, end: End, least: Int[Array, ""]):  # type: ignore[no-untyped-def]
        phases = end.G.shape[0]
        n = jnp.arange(levels + 1)[:, None]
        a = jnp.arange(phases)[None, :]
        # the best constant number of servers, more of them while requests wait
        race = (a < jnp.maximum(n, least)) & (a < phases - 1)
        keep = jnp.where(a > least, jnp.maximum(jnp.minimum(n, a), least), a)
        keep = jnp.where(n >= phases - 1, a, keep)

        def improve(search: _Search) -> _Search:
            # each evaluation starts from the last values: only the change is subject to rounding
            rule = _rule(search.race, search.keep)
            values = refine(p, end, rule, search.values)
            return _improve(p, search._replace(values=values))

        start = jnp.zeros((levels + 2, phases)).at[-1].set(end.constant)
        first = _Search(
            race, keep, Values(jnp.asarray(0.0), start), jnp.asarray(0), jnp.asarray(False)
        )
        search = jax.lax.while_loop(
            lambda s: (s.iteration < 2) | (~s.repeated & (s.iteration < most)), improve, first
        )
        return search, _rule(search.race, search.keep), *_bounds(p, search)

    return jax.vmap(one)(p, end, least)


def end_values(end: Tail, level: int) -> End:
    """The tail as it meets the last level below it."""
    return End(
        jnp.asarray(end.G),
        jnp.asarray(end.offset + end.slope * (level + 1)),
        jnp.asarray(end.gain),
    )


def parameters(batch: Points) -> Parameters:
    """The batch as JAX arrays."""
    return Parameters(**{name: jnp.asarray(col) for name, col in batch.columns().items()})


def optimum(
    batch: Points,
    *,
    levels: int | None = None,
    infinite: bool = True,
    tolerance: float = 1e-6,
    max_iterations: int = 25,
) -> BatchOptimum:
    """Optimal free-cancel policies of all points of ``batch`` (one compilation per shape).

    ``levels`` is the last level whose decisions are free (default ``K + 64``). With ``infinite``
    all servers race above it, exactly; otherwise arrivals above it are lost. A point is certified
    when its bounds are at most ``tolerance`` apart and racing above is shown to be optimal:
    policies that tie may alternate, so the bounds, not the repetition, are the proof. Raises
    ``ValueError`` when ``levels < K + 10``.
    """
    k = batch.servers
    level = k + 64 if levels is None else levels
    if level < k + 10:
        raise ValueError(f"levels = {level} must be at least servers + 10 = {k + 10}")
    end = tail(batch, racing_setups(k)) if infinite else truncated(batch)
    least = _best_constant(batch)
    search, rule, lower, upper = _solve(
        parameters(batch), end_values(end, level), jnp.asarray(least), level, max_iterations
    )
    cost = np.asarray(search.values.cost)
    relative = np.asarray(search.values.relative)
    certified = np.asarray(upper) - np.asarray(lower) <= tolerance  # False for NaN
    if infinite:
        certified &= racing_is_optimal(batch, end, relative[:, level], cost, level)
    return BatchOptimum(
        cost=cost,
        lower=np.asarray(lower),
        upper=np.asarray(upper),
        certified=certified,
        iterations=np.asarray(search.iteration),
        setups=np.asarray(rule.setups),
        keep=np.asarray(rule.keep),
        relative=relative,
    )


def static_costs(batch: Points) -> Float[np.ndarray, "points servers"]:
    """Average cost of 1..K constant servers, infinite where they cannot keep up (Erlang C)."""
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
