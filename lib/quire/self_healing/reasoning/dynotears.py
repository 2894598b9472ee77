"""DYNOTEARS with a penalty per edge, by proximal gradients in JAX.

The problem (Pamfil et al., AISTATS 2020; the masks are NeSy-Edge's):

    min  1/(2n) ||Y - Y W - Z A||^2 + lam_w ||M_w o W||_1 + lam_a ||M_a o A||_1,   W without cycles

with Y the bins from the second on and Z those before them. Three things make it fast. The data
enter by three Gram matrices, so that an iteration does not depend on n. Cycles are kept out by
``h(W) = -logdet(I - W o W)`` (DAGMA, Bello et al., NeurIPS 2022), one factorisation, whose weight
grows in a few stages, along two paths, of which the better end is taken. The L1 terms are handled
by their proximal map inside an accelerated iteration (FISTA) that is one compiled loop. A last
stage cuts what cycles are left, and solves the convex problem that remains for the order found, so
that W has no cycle by construction: this is checked again by sorting.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import lu_factor, lu_solve
from jaxtyping import Array, Float

from quire import checks
from quire.self_healing.reasoning.structures import acyclic_part, is_acyclic
from quire.signatures import checked

PATHS = ((0.1, 0.01, 0.001), (1.0, 0.3, 0.1, 0.03, 0.01, 0.001))


@dataclass(frozen=True)
class Discovery:
    """What a causal discovery found.

    Attributes
    ----------
    W, A
        Effects within a bin, without cycles, and from the bin before.
    objective
        The value of the problem at (W, A).
    h
        What is left of cycles in W, trace of exp(W o W) minus d: 0 for none.
    iterations
        How many were made.
    """

    W: Float[np.ndarray, "d d"]
    A: Float[np.ndarray, "d d"]
    objective: float
    h: float
    iterations: int


@dataclass(frozen=True)
class Problem:
    """The data of one discovery: Gram matrices and penalties.

    Attributes
    ----------
    yy, zy, zz
        Y'Y/n, Z'Y/n and Z'Z/n.
    penalty_w, penalty_a
        The weight of every entry's absolute value, the factor lam included.
    """

    yy: Float[np.ndarray, "d d"]
    zy: Float[np.ndarray, "d d"]
    zz: Float[np.ndarray, "d d"]
    penalty_w: Float[np.ndarray, "d d"]
    penalty_a: Float[np.ndarray, "d d"]


def discovery_problem(
    X: Any,
    lam_w: Any = 0.025,
    lam_a: Any = 0.05,
    mask_w: Any = None,
    mask_a: Any = None,
) -> Problem:
    """Check series and penalties, and return the problem with one lag.

    Parameters
    ----------
    X
        Series, time by series; standardise them first (`structures.standardised`).
    lam_w, lam_a
        Penalties.
    mask_w, mask_a
        A factor on the penalty of every edge, 1 where there is none: below 1 for edges that a prior
        names, above 1 for those it speaks against.

    Raises
    ------
    ValueError
        For NaN, fewer than three bins, a negative penalty, or a mask of another shape.
    """
    values = checks.real_array("X", X, 2)
    t, d = values.shape
    if t < 3:
        raise ValueError(f"X = {t} bins: must have at least 3, more than the lag needs")
    penalties = []
    for name, lam, mask in (("w", lam_w, mask_w), ("a", lam_a, mask_a)):
        lam = checks.non_negative(f"lam_{name}", lam)
        factor = (
            np.ones((d, d))
            if mask is None
            else checks.real_array(f"mask_{name}", mask, 2, least=0.0)
        )
        if factor.shape != (d, d):
            raise ValueError(f"mask_{name} = shape {factor.shape}: must be {(d, d)}")
        penalties.append(lam * factor)
    y, z = values[1:], values[:-1]
    n = len(y)
    return Problem(y.T @ y / n, z.T @ y / n, z.T @ z / n, penalties[0], penalties[1])


def objective(problem: Problem, W: Float[np.ndarray, "d d"], A: Float[np.ndarray, "d d"]) -> float:
    """Return the value of the problem, cycles not looked at."""
    R = np.eye(len(W)) - W
    quadratic = (
        np.sum(R * (problem.yy @ R))
        - 2 * np.sum(A * (problem.zy @ R))
        + np.sum(A * (problem.zz @ A))
    )
    lasso = np.sum(problem.penalty_w * np.abs(W)) + np.sum(problem.penalty_a * np.abs(A))
    return float(0.5 * quadratic + lasso)


@checked
def discover(problem: Problem, iterations: Any = 2000, tolerance: Any = 1e-9) -> Discovery:
    """Solve a problem in JAX; double precision where JAX has it switched on.

    Parameters
    ----------
    problem
        What `discovery_problem` returns.
    iterations
        Limit of every stage.
    tolerance
        The last stage ends once the objective has changed by less than this share five times.

    Raises
    ------
    ValueError
        For no iterations or a tolerance that is not positive.
    """
    checks.integer("iterations", iterations)
    checks.positive("tolerance", tolerance)
    grams = tuple(
        jnp.asarray(part)
        for part in (problem.yy, problem.zy, problem.zz, problem.penalty_w, problem.penalty_a)
    )
    d = len(problem.yy)
    whole = jnp.ones((d, d))
    best: Discovery | None = None
    count = 0
    for path in PATHS:
        W, A = jnp.zeros((d, d)), jnp.zeros((d, d))
        for mu in path:
            W, A, used = _stage(grams, W, A, whole, mu, True, iterations, 1e-6)
            count += int(used)
        allowed = jnp.asarray(_order_mask(acyclic_part(np.asarray(W, dtype=np.float64))))
        W, A, used = _stage(grams, W * allowed, A, allowed, 1.0, False, iterations, tolerance)
        count += int(used)
        found_w, found_a = (np.asarray(part, dtype=np.float64) for part in (W, A))
        value = objective(problem, found_w, found_a)
        if best is None or value < best.objective:
            best = Discovery(found_w, found_a, value, 0.0, count)
    assert best is not None and is_acyclic(best.W != 0)  # sorted, not concluded from h
    return replace(best, iterations=count)


def _order_mask(dag: Float[np.ndarray, "d d"]) -> Float[np.ndarray, "d d"]:
    """Return 1 for every pair (earlier, later) of a topological order."""
    d = len(dag)
    left = dag != 0
    alive = np.ones(d, dtype=bool)
    position = np.zeros(d, dtype=int)
    for place in range(d):
        free = alive & ~left[alive].any(axis=0)
        # the series with the strongest effects on others goes first
        node = int(np.argmax(np.where(free, np.abs(dag).sum(axis=1), -1.0)))
        position[node] = place
        alive[node] = False
    return (position[:, None] < position[None, :]).astype(float)


@partial(jax.jit, static_argnames=("barrier", "iterations"))
def _stage(
    grams: tuple[Array, ...],
    W: Array,
    A: Array,
    allowed: Array,
    mu: Array | float,
    barrier: bool,
    iterations: int,
    tolerance: Array | float,
) -> tuple[Array, Array, Array]:
    """Minimise ``mu (loss + lasso)``, with ``h`` added or not, over allowed entries by FISTA."""
    yy, zy, zz, penalty_w, penalty_a = grams
    eye = jnp.eye(yy.shape[0], dtype=yy.dtype)
    free = allowed * (1.0 - eye)

    def loss(W: Array, A: Array) -> tuple[Array, Array, Array]:
        R = eye - W
        yR, zR, zA = yy @ R, zy @ R, zz @ A
        value = 0.5 * (jnp.sum(R * yR) - 2 * jnp.sum(A * zR) + jnp.sum(A * zA))
        return mu * value, yR, zA - zR

    def value_of(W: Array, A: Array) -> Array:
        value = loss(W, A)[0]
        if barrier:
            sign, logdet = jnp.linalg.slogdet(eye - W * W)
            value = jnp.where(sign > 0, value - logdet, jnp.inf)
        return value

    def with_gradient(W: Array, A: Array) -> tuple[Array, Array, Array]:
        value, yR, grad_a = loss(W, A)
        grad_w = mu * (zy.T @ A - yR)
        if barrier:
            factors, pivots = lu_factor(eye - W * W)
            inverse = lu_solve((factors, pivots), eye)
            logdet = jnp.sum(jnp.log(jnp.abs(jnp.diag(factors))))
            # I - W o W has an inverse without negative entries just where its series converges
            value = jnp.where(jnp.all(inverse >= -1e-9), value - logdet, jnp.inf)
            grad_w = grad_w + 2 * W * inverse.T
        return value, grad_w * free, mu * grad_a

    def shrink(V: Array, by: Array) -> Array:
        return jnp.sign(V) * jnp.maximum(jnp.abs(V) - by, 0.0)

    def lasso(W: Array, A: Array) -> Array:
        return mu * (jnp.sum(penalty_w * jnp.abs(W)) + jnp.sum(penalty_a * jnp.abs(A)))

    def proximal_step(
        V: Array, B: Array, value: Array, grad_w: Array, grad_a: Array, start: Array
    ) -> tuple[Array, Array, Array, Array]:
        def attempt(state: tuple[Array, ...]) -> tuple[Array, ...]:
            step = state[0] / 2
            new_w = shrink(V - step * grad_w, step * mu * penalty_w) * free
            new_a = shrink(B - step * grad_a, step * mu * penalty_a)
            move_w, move_a = new_w - V, new_a - B
            new_value = value_of(new_w, new_a)
            bound = value + jnp.sum(grad_w * move_w) + jnp.sum(grad_a * move_a)
            bound += (jnp.sum(move_w**2) + jnp.sum(move_a**2)) / (2 * step)
            good = new_value <= bound + 1e-12 * jnp.abs(bound)
            return step, new_w, new_a, new_value, good

        step, new_w, new_a, new_value, _ = jax.lax.while_loop(
            lambda s: (~s[4]) & (s[0] > 1e-12),
            attempt,  # type: ignore[arg-type]
            (2 * start, V, B, value, jnp.asarray(False)),
        )
        return new_w, new_a, new_value + lasso(new_w, new_a), step

    def body(state: tuple[Array, ...]) -> tuple[Array, ...]:
        k, W, A, past_w, past_a, momentum, step, value, calm = state
        new_momentum = (1 + jnp.sqrt(1 + 4 * momentum**2)) / 2
        ahead = (momentum - 1) / new_momentum
        V, B = W + ahead * (W - past_w), A + ahead * (A - past_a)
        at = with_gradient(V, B)
        V, B, *at = jax.lax.cond(
            jnp.isfinite(at[0]), lambda: (V, B, *at), lambda: (W, A, *with_gradient(W, A))
        )
        new_w, new_a, new_value, new_step = proximal_step(V, B, at[0], at[1], at[2], step * 1.05)
        worse = ~(new_value <= value)
        # where the objective rises, begin again from the last point without momentum
        best = jnp.where(worse, value, new_value)
        quiet = (value - best <= tolerance * jnp.abs(value)) & ~(worse & (momentum > 1.0))
        return (
            k + 1, jnp.where(worse, W, new_w), jnp.where(worse, A, new_a), W, A,
            jnp.where(worse, 1.0, new_momentum), new_step, best, jnp.where(quiet, calm + 1, 0),
        )  # fmt: skip

    one = jnp.ones((), yy.dtype)
    state = (0, W, A, W, A, one, one, value_of(W, A) + lasso(W, A), 0)
    final = jax.lax.while_loop(lambda s: (s[0] < iterations) & (s[8] < 5), body, state)  # type: ignore[arg-type]
    return final[1], final[2], jnp.asarray(final[0])
