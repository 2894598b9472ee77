"""Derivatives of what is measured on a waveform with respect to component values.

Reverse or forward differentiation goes through the whole transient: at each converged step the
implicit function theorem gives the derivative by one solve with the matrix at hand, so that it is
exact for the discretised equations, however many iterations Newton's method took.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from quire.checks import between, integer
from quire.circuits.batched.transient import Batch, run
from quire.signatures import checked


def crossing(times: Any, wave: Any, level: Any) -> Any:
    """Return the first time at which a wave rises through a level, by linear interpolation.

    Differentiable by wave and level as long as the step in which it happens stays the same; NaN
    where the wave never rises through the level.
    """
    rises = (wave[:-1] < level) & (wave[1:] >= level)
    k = jnp.argmax(rises)
    share = (level - wave[k]) / (wave[k + 1] - wave[k])
    found = times[k] + share * (times[k + 1] - times[k])
    return jnp.where(rises.any(), found, jnp.nan)


def rise_time(times: Any, wave: Any, low: float = 0.1, high: float = 0.9) -> Any:
    """Return the time from 10 % to 90 % of the way between a wave's first and last value.

    Raises
    ------
    ValueError
        For arrays that are no two equal rows, or shares of the way that do not rise.
    """
    times, wave = jnp.asarray(times, float), jnp.asarray(wave, float)
    if times.ndim != 1 or times.shape != wave.shape or times.size < 2:
        raise ValueError(
            f"times = {times.shape}, wave = {wave.shape}: must be two equal rows of two or more"
        )
    if between("low", low, 0.0, 1.0) >= between("high", high, 0.0, 1.0):
        raise ValueError(f"low = {low}: must be below high, {high}")
    start, swing = wave[0], wave[-1] - wave[0]
    return crossing(times, wave, start + high * swing) - crossing(times, wave, start + low * swing)


@checked
def measure_and_gradient(
    batch: Batch, measure: Callable[[Any, Any], Any], *, output: int = 0
) -> tuple[float, dict[str, float]]:
    """Return a measure of the nominal waveform and its derivative by each varied quantity.

    Parameters
    ----------
    batch
        What `prepare` returned; its varied quantities are those of the gradient.
    measure
        A traceable function of times and one waveform, such as `rise_time`.
    output
        Which recorded output it looks at.
    """
    output = integer("output", output, 0, len(batch.outputs) - 1)
    nominal = np.array([v.nominal for v in batch.varied])

    def value(values: Any) -> Any:
        waves, _ = run(batch, values[:, None], differentiable=True)
        return measure(jnp.asarray(batch.times), waves[:, output, 0])

    found, slopes = jax.jit(jax.value_and_grad(value))(jnp.asarray(nominal))
    return float(found), dict(zip((v.name for v in batch.varied), map(float, slopes), strict=True))


@checked
def differences(
    batch: Batch, measure: Callable[[Any, Any], Any], *, output: int = 0, share: float = 1e-4
) -> dict[str, float]:
    """Return the same derivatives by central differences of relative width ``share``."""
    output = integer("output", output, 0, len(batch.outputs) - 1)
    share = between("share", share, 0.0, 1.0)
    nominal = np.array([v.nominal for v in batch.varied])
    count = len(nominal)
    values = np.repeat(nominal[:, None], 2 * count, axis=1)
    for k in range(count):
        values[k, 2 * k] *= 1 + share
        values[k, 2 * k + 1] *= 1 - share

    def all_of(values: Any) -> Any:
        waves, _ = run(batch, values, differentiable=True)
        return jax.vmap(lambda wave: measure(jnp.asarray(batch.times), wave))(waves[:, output].T)

    found = np.asarray(jax.jit(all_of)(jnp.asarray(values)))
    return {
        v.name: float((found[2 * k] - found[2 * k + 1]) / (2 * share * nominal[k]))
        for k, v in enumerate(batch.varied)
    }
