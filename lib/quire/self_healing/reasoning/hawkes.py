"""A discrete-time Hawkes model of counts: events of one kind raise the rate of others for a while.

    lambda_j(t) = mu_j + sum_i a_ij R_i(t),   R_i(t) = sum_{s < t} beta e^{-beta (t - s - 1)} n_i(s)

with Poisson counts, ``a_ij >= 0`` and a weighted L1 penalty. ``R`` obeys
``R(t) = e^{-beta} R(t - 1) + beta n(t - 1)``, a linear recursion that is one associative scan, and
the gradient is one product ``R' (n / lambda - 1)``.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from quire import checks


@dataclass(frozen=True)
class Excitation:
    """A fitted model.

    Attributes
    ----------
    mu
        Base rates per bin.
    a
        ``a[i, j]``: how much an event of kind i raises the rate of kind j.
    loss
        Mean negative log-likelihood per bin, without its constant, plus the penalty.
    """

    mu: Float[np.ndarray, " d"]
    a: Float[np.ndarray, "d d"]
    loss: float


def excitation_history(counts: Any, beta: Any) -> Float[np.ndarray, "t d"]:
    """Return ``R``: how much of earlier events is still felt in every bin.

    Raises
    ------
    ValueError
        For negative counts, NaN, or a rate of decay that is not positive.
    """
    values = checks.real_array("counts", counts, 2, least=0.0)
    beta = checks.positive("beta", beta)
    return np.asarray(_history(jnp.asarray(values), beta))


def _history(counts: Array, beta: Array | float) -> Array:
    before = jnp.concatenate([jnp.zeros_like(counts[:1]), counts[:-1]]) * beta
    decay = jnp.full(before.shape, jnp.exp(-jnp.asarray(beta, before.dtype)))

    def join(left: tuple[Array, Array], right: tuple[Array, Array]) -> tuple[Array, Array]:
        return left[0] * right[0], left[1] * right[0] + right[1]

    return jax.lax.associative_scan(join, (decay, before))[1]


def fit_hawkes(
    counts: Any,
    beta: Any = 1.0,
    lam: Any = 0.01,
    mask: Any = None,
    iterations: Any = 500,
) -> Excitation:
    """Fit base rates and excitations by accelerated proximal gradients.

    Parameters
    ----------
    counts
        Events per bin and kind.
    beta
        Rate at which an event is forgotten, per bin.
    lam, mask
        Penalty of every excitation, and a factor on it.
    iterations
        How many.

    Raises
    ------
    ValueError
        For negative counts, fewer than two bins, a negative penalty, or a mask of another shape.
    """
    values = checks.real_array("counts", counts, 2, least=0.0)
    t, d = values.shape
    if t < 2:
        raise ValueError(f"counts = {t} bin: must have at least 2")
    beta, lam = checks.positive("beta", beta), checks.non_negative("lam", lam)
    checks.integer("iterations", iterations)
    factor = np.ones((d, d)) if mask is None else checks.real_array("mask", mask, 2, least=0.0)
    if factor.shape != (d, d):
        raise ValueError(f"mask = shape {factor.shape}: must be {(d, d)}")
    mu, a, loss = _fit(jnp.asarray(values), beta, jnp.asarray(lam * factor), iterations)
    return Excitation(np.asarray(mu), np.asarray(a), float(loss))


@partial(jax.jit, static_argnames=("iterations",))
def _fit(
    counts: Array, beta: Array | float, penalty: Array, iterations: int
) -> tuple[Array, Array, Array]:
    history = _history(counts, beta)
    floor = 1e-8
    n = counts.shape[0]

    def smooth(mu: Array, a: Array) -> tuple[Array, Array, Array]:
        rate = jnp.maximum(mu + history @ a, floor)
        value = jnp.sum(rate - counts * jnp.log(rate)) / n
        residual = (1.0 - counts / rate) / n
        return value, residual.sum(axis=0), history.T @ residual

    def total(mu: Array, a: Array) -> Array:
        return smooth(mu, a)[0] + jnp.sum(penalty * a)

    def body(_: Array, state: tuple[Array, ...]) -> tuple[Array, ...]:
        mu, a, past_mu, past_a, momentum, step = state
        new_momentum = (1 + jnp.sqrt(1 + 4 * momentum**2)) / 2
        ahead = (momentum - 1) / new_momentum
        at_mu = jnp.maximum(mu + ahead * (mu - past_mu), floor)
        at_a = jnp.maximum(a + ahead * (a - past_a), 0.0)
        value, grad_mu, grad_a = smooth(at_mu, at_a)

        def attempt(step: Array) -> tuple[Array, Array, Array]:
            new_mu = jnp.maximum(at_mu - step * grad_mu, floor)
            new_a = jnp.maximum(at_a - step * (grad_a + penalty), 0.0)
            move_mu, move_a = new_mu - at_mu, new_a - at_a
            bound = value + jnp.sum(grad_mu * move_mu) + jnp.sum(grad_a * move_a)
            bound += (jnp.sum(move_mu**2) + jnp.sum(move_a**2)) / (2 * step)
            return new_mu, new_a, smooth(new_mu, new_a)[0] <= bound + 1e-12

        step = jax.lax.while_loop(
            lambda s: (~attempt(s)[2]) & (s > 1e-12), lambda s: s / 2, step * 1.5
        )
        new_mu, new_a, _ = attempt(step)
        worse = total(new_mu, new_a) > total(mu, a)
        return (
            jnp.where(worse, mu, new_mu), jnp.where(worse, a, new_a), mu, a,
            jnp.where(worse, 1.0, new_momentum), step,
        )  # fmt: skip

    mu = jnp.maximum(counts.mean(axis=0), 1e-3)
    a = jnp.zeros_like(penalty)
    one = jnp.ones((), counts.dtype)
    final = jax.lax.fori_loop(0, iterations, body, (mu, a, mu, a, one, one))
    return final[0], final[1], total(final[0], final[1])


def simulate_hawkes(mu: Any, a: Any, beta: Any, bins: Any, seed: Any) -> Float[np.ndarray, "t d"]:
    """Return counts drawn from the model.

    Raises
    ------
    ValueError
        For negative rates, shapes that do not fit, or excitations that grow without end.
    """
    base = checks.real_array("mu", mu, 1, least=0.0)
    excite = checks.real_array("a", a, 2, least=0.0)
    beta = checks.positive("beta", beta)
    checks.integer("bins", bins)
    if excite.shape != (len(base), len(base)):
        raise ValueError(f"a = shape {excite.shape}: must be {(len(base), len(base))}")
    total = beta / -np.expm1(-beta)  # the sum of the kernel
    if np.abs(np.linalg.eigvals(excite * total)).max() >= 1:
        raise ValueError(
            "a = excitations that grow without end: must have a spectral radius below 1"
        )
    rng = np.random.default_rng(checks.integer("seed", seed, 0))
    felt = np.zeros(len(base))
    counts = np.zeros((bins, len(base)))
    for t in range(bins):
        counts[t] = rng.poisson(base + felt @ excite)
        felt = np.exp(-beta) * felt + beta * counts[t]
    return counts
