"""Fleet design by gradients: numbers of GPUs and the boundary made continuous, in JAX.

Requests hold a slot for S = steps (W + H l slots / 8192); with slots = memory / window the fluid
cost of two pools is a smooth function of the boundary wherever the lengths have a density. Many
scenarios descend at once; the integer planner or a judge then certifies what they find.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from quire.checks import integer, real_array
from quire.serving.planning.gpus import GpuProfile
from quire.serving.planning.lengths import Lengths, split


@dataclass(frozen=True)
class Moments:
    """Sums over requests up to each length: their share, steps, and steps x length.

    Attributes
    ----------
    length
        Tokens.
    share, steps, work
        F, sum of p k, and sum of p k l, of all lengths up to there.
    """

    length: Any
    share: Any
    steps: Any
    work: Any


def moments(lengths: Lengths, gpu: GpuProfile, points: Any = 2048) -> Moments:
    """Return the sums of a distribution, at so many lengths."""
    values, p = lengths.weights()
    n_in, n_out = split(values)
    k = -(-n_in // gpu.chunk) + n_out
    at = np.unique(np.linspace(0, values.size - 1, integer("points", points, 16)).astype(int))
    sums = [np.cumsum(each)[at] for each in (p, p * k, p * k * values)]
    return Moments(*(np.append(0.0, each) for each in (values[at], *sums)))


def fluid_cost(
    boundary: Any,
    table: Moments,
    gpu: GpuProfile,
    rate: Any,
    scale: Any,
    price_long: Any,
    long_window: int = 65536,
    rho: float | int = 0.85,
) -> Any:
    """Return dollars an hour of two pools, fractions of GPUs allowed.

    Parameters
    ----------
    boundary
        B, tokens, a JAX scalar.
    table
        Sums of the lengths.
    gpu
        Of either pool.
    rate
        Requests a second.
    scale
        Factor of all lengths: B / scale stands for B in the table.
    price_long
        Factor of the long pool's price.
    long_window, rho
        Of the long pool; utilisation.
    """
    tokens = jnp.minimum(gpu.kv_blocks * gpu.block, gpu.seats * gpu.context)
    at = jnp.asarray(table.length)
    below = [jnp.interp(boundary / scale, at, jnp.asarray(c)) for c in (table.steps, table.work)]
    whole = table.steps[-1], table.work[-1]

    def pool(steps: Any, work: Any, window: Any) -> Any:
        slots = tokens / window
        held = gpu.fixed_s * steps + gpu.per_sequence_s / gpu.context * slots * work * scale
        return rate * held / slots / rho * gpu.dollars_per_hour

    near = pool(below[0], below[1], boundary)
    far = pool(whole[0] - below[0], whole[1] - below[1], long_window)
    return near + price_long * far


@partial(jax.jit, static_argnames=("gpu", "steps"))
def _descend(
    start: Any, table: Any, rate: Any, scale: Any, price: Any, gpu: GpuProfile, steps: int
) -> tuple[Any, Any]:
    columns = Moments(*table)

    def one(x0: Any, lam: Any, s: Any, p: Any) -> Any:
        def value(x: Any) -> Any:
            return jnp.log(fluid_cost(jnp.exp(x), columns, gpu, lam, s, p))

        def body(k: Any, held: Any) -> Any:
            x, size = held
            g = jnp.clip(jax.grad(value)(x), -1.0, 1.0)
            new = jnp.clip(x - size * g, jnp.log(64.0), jnp.log(65536.0))
            better = value(new) < value(x)
            return jnp.where(better, new, x), jnp.where(better, size * 1.3, size * 0.5)

        x, _ = jax.lax.fori_loop(0, steps, body, (x0, jnp.asarray(0.3)))
        return jnp.exp(x), jnp.exp(value(x))

    return jax.vmap(one)(start, rate, scale, price)


def design(
    table: Moments,
    gpu: GpuProfile,
    rate: Any,
    scale: Any,
    price_long: Any,
    *,
    starts: Any = 4,
    steps: Any = 40,
) -> tuple[np.ndarray, np.ndarray]:
    """Return each scenario's boundary and fluid cost, the best of several descents.

    Parameters
    ----------
    table, gpu
        As in `fluid_cost`.
    rate, scale, price_long
        Of each scenario, arrays of one length.
    starts
        Descents of each, from boundaries spread over the lengths.
    steps
        Of a descent.

    Raises
    ------
    ValueError
        When the arrays differ in length.
    """
    columns = [
        real_array(name, each, 1, above=0.0)
        for name, each in (("rate", rate), ("scale", scale), ("price_long", price_long))
    ]
    if len({c.size for c in columns}) != 1:
        raise ValueError("rate, scale, price_long: must be of one length")
    table32 = tuple(jnp.asarray(c, jnp.float32) for c in vars(table).values())
    found, least = None, None
    for begin in np.geomspace(512, 32768, integer("starts", starts)):
        start = jnp.full(columns[0].size, np.log(begin), jnp.float32)
        b, cost = _descend(
            start,
            table32,
            *(jnp.asarray(c, jnp.float32) for c in columns),
            gpu,
            integer("steps", steps),
        )
        b, cost = np.asarray(b, float), np.asarray(cost, float)
        if found is None or least is None:
            found, least = b, cost
        else:
            found, least = np.where(cost < least, b, found), np.minimum(cost, least)
    assert found is not None and least is not None
    return found, least
