"""Relative values of one policy by elimination from the highest level down, in JAX.

In the free-cancel model a state is (n, a): ``n`` requests, ``a`` active servers, and a policy says
how many servers are in setup and how many idle ones go. Only neighbouring levels are linked, so
``h_n = U_n h_{n-1} + v_n + g z_n`` with one (K+1)-dimensional system per level: triangular for
``n >= K``, where no server idles, and dense below. The end above the last level is a
:class:`~quire.queueing.batched.full_setup.Tail`: exact for the infinite system, or truncated.

All functions are for one point; ``jax.vmap`` makes them work on many.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float, Int

Scalar = Float[Array, ""]

# Killing with restart in (0, 0), as a rate: see _policy_iteration.RESTART for the reason.
RESTART = 1e-14


class Parameters(NamedTuple):
    """One point: rates and prices."""

    arrival_rate: Scalar
    setup_rate: Scalar
    service_rate: Scalar
    server: Scalar
    setup_share: Scalar
    delay: Scalar
    allocation: Scalar


class End(NamedTuple):
    """Values on level ``M + 1``: ``G h_M + constant + g gain``."""

    G: Float[Array, "phases phases"]
    constant: Float[Array, " phases"]
    gain: Float[Array, " phases"]


class LevelPolicy(NamedTuple):
    """A policy on levels ``0..M``."""

    setups: Float[Array, "levels phases"]  # servers in setup if the state is kept
    keep: Int[Array, "levels phases"]  # active servers kept; less than a releases idle ones
    releases: Float[Array, "levels phases"]  # rate at which an idle server is released anyway


class Values(NamedTuple):
    """What a policy costs: ``g`` and ``h`` on levels ``0..M+1``, zero in (0, 0)."""

    cost: Scalar
    relative: Float[Array, "levels phases"]


def _level_system(
    p: Parameters,
    n: Int[Array, ""],
    setups: Float[Array, " phases"],
    keep: Int[Array, " phases"],
    fall: Float[Array, " phases"],
) -> tuple[Float[Array, "phases phases"], Float[Array, "phases phases"], Float[Array, " phases"]]:
    """Matrix within the level, link to the level below, and 1 in the phases where time passes."""
    phases = len(setups)
    a = jnp.arange(phases)
    stays = (keep == a).astype(float)
    busy = jnp.minimum(n, a) * p.service_rate
    rise = setups * p.setup_rate
    within = jnp.diag(p.arrival_rate + busy + rise + fall + RESTART)
    within = within - jnp.diag(rise[:-1], 1) - jnp.diag(fall[1:], -1)
    released = jnp.eye(phases) - jax.nn.one_hot(keep, phases)
    within = stays[:, None] * within + (1 - stays)[:, None] * released
    return within, jnp.diag(stays * busy), stays


def price_of(p: Parameters, rule: LevelPolicy) -> Float[Array, "levels phases"]:
    """Return the cost rate in each state; zero where idle servers are released at once."""
    levels, phases = rule.setups.shape
    n, a = jnp.arange(levels)[:, None], jnp.arange(phases)[None, :]
    rise = rule.setups * p.setup_rate
    price = p.server * (a + p.setup_share * rule.setups) + p.delay * n + p.allocation * rise
    return jnp.where(rule.keep == a, price, 0.0)


def solve_levels(
    p: Parameters, end: End, rule: LevelPolicy, price: Float[Array, "levels phases"]
) -> Values:
    """Return average cost and relative values of ``rule`` when each state costs ``price``.

    The rule must not release servers on levels ``>= K``.
    """
    levels, phases = rule.setups.shape
    k = phases - 1

    def eliminate(solve, above, inputs):  # type: ignore[no-untyped-def]
        U, v, z = above
        n, setups, keep, fall, cost = inputs
        within, below, stays = _level_system(p, n, setups, keep, fall)
        up = stays * p.arrival_rate
        right = jnp.concatenate([below, (cost + up * v)[:, None], (up * z - stays)[:, None]], 1)
        answer = solve(within - up[:, None] * U, right)
        link = (answer[:, :phases], answer[:, phases], answer[:, phases + 1])
        return link, link

    def triangular(system, right):  # type: ignore[no-untyped-def]
        return solve_triangular(system, right, lower=False)

    rows = (jnp.arange(levels), rule.setups, rule.keep, rule.releases, price)
    high = jax.tree.map(lambda x: x[k:], rows)
    low = jax.tree.map(lambda x: x[1:k], rows)
    middle, links_high = jax.lax.scan(
        partial(eliminate, triangular), (end.G, end.constant, end.gain), high, reverse=True
    )
    (U, v, z), links_low = jax.lax.scan(
        partial(eliminate, jnp.linalg.solve), middle, low, reverse=True
    )
    within, _, stays = _level_system(p, *(row[0] for row in rows[:4]))
    up = stays * p.arrival_rate
    system = jnp.zeros((phases + 1, phases + 1))
    system = system.at[:phases, :phases].set(within - up[:, None] * U)
    system = system.at[:phases, phases].set(stays - up * z)
    system = system.at[phases, 0].set(1.0)
    solution = jnp.linalg.solve(system, jnp.append(price[0] + up * v, 0.0))
    h0, cost = solution[:phases], solution[phases]

    def substitute(below, link):  # type: ignore[no-untyped-def]
        U, v, z = link
        h = U @ below + v + cost * z
        return h, h

    links = jax.tree.map(lambda lo, hi: jnp.concatenate([lo, hi]), links_low, links_high)
    h_last, rest = jax.lax.scan(substitute, h0, links)
    beyond = end.G @ h_last + end.constant + cost * end.gain
    return Values(cost, jnp.concatenate([h0[None], rest, beyond[None]]))


def evaluate_rule(p: Parameters, end: End, rule: LevelPolicy) -> Values:
    """Return average cost and relative values of ``rule`` at the prices of ``p``."""
    return solve_levels(p, end, rule, price_of(p, rule))


def drift(
    p: Parameters,
    h: Float[Array, "beyond phases"],
    setups: Float[Array, "levels phases"],
) -> Float[Array, "levels phases"]:
    """Return cost rate plus drift of ``h`` in each state that is kept, on levels ``0..M``."""
    levels, phases = setups.shape
    n, a = jnp.arange(levels)[:, None], jnp.arange(phases)[None, :]
    here, above = h[:levels], h[1 : levels + 1]
    below = jnp.concatenate([h[:1], h[: levels - 1]])
    return (
        p.server * a
        + p.delay * n
        + p.arrival_rate * (above - here)
        + jnp.minimum(n, a) * p.service_rate * (below - here)
        + setups * start_worth(p, here)
    )


def start_worth(p: Parameters, h: Float[Array, "levels phases"]) -> Float[Array, "levels phases"]:
    """Return the rate of cost that one server in setup adds: negative where starting it pays."""
    gain = p.allocation + h[:, 1:] - h[:, :-1]
    return jnp.pad(p.setup_share * p.server + p.setup_rate * gain, ((0, 0), (0, 1)))


def refine(p: Parameters, end: End, rule: LevelPolicy, values: Values) -> Values:
    """Return cost and values of ``rule`` as a change of ``values``, which must meet the end.

    With the rule's own values this is one step of iterative refinement. Not for timed releases.

    Elimination down to an all but empty farm passes through expected times like ``exp(R)`` and
    loses that many digits; the residual is known to full precision and costs one more solve.
    """
    h = values.relative
    levels, phases = rule.setups.shape
    kept = rule.keep == jnp.arange(phases)
    onto = jnp.take_along_axis(h[:levels], rule.keep, axis=1)
    residual = jnp.where(
        kept, drift(p, h, rule.setups) - values.cost - RESTART * h[:levels], onto - h[:levels]
    )
    homogeneous = End(end.G, jnp.zeros_like(end.constant), end.gain)
    change = solve_levels(p, homogeneous, rule, residual)
    return Values(values.cost + change.cost, h + change.relative)
