"""Slopes of a replay's means in constants of its device: forward derivatives in JAX."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from quire.checks import real_array
from quire.serving.engine.batched import one_replay, prepared
from quire.serving.engine.config import SchedulerConfig
from quire.serving.profiles.latency import LatencyTable
from quire.serving.workload.trace import Trace
from quire.signatures import checked


@checked
def means_and_slopes(
    trace: Trace,
    profile: LatencyTable,
    config: SchedulerConfig,
    constants: Any,
    *,
    prefixes: bool = False,
) -> tuple[Float[np.ndarray, " 3"], Float[np.ndarray, "3 3"]]:
    """Return the mean TTFT, TPOT and latency of a replay, and their slopes in three constants.

    The slopes are forward derivatives along the path: who is in which step is held as it is, and
    the steps' lengths move. Where a constant changes the batches, the means have steps that no such
    slope sees.

    Parameters
    ----------
    trace, profile, config
        Requests, device, scheduler; the device's attention must be a grid.
    constants
        Factor of the dense layers, factor of the attention, microseconds between steps.
    prefixes
        As in `replay_batch`.

    Returns
    -------
    tuple of array
        Milliseconds; and milliseconds for one more of each constant, a column for each.

    Raises
    ------
    ValueError
        As `replay_batch`.
    """
    three = real_array("constants", constants, 1, least=0.0)
    if three.size != 3:
        raise ValueError(f"constants = {three.size} numbers: must be dense, attention, host_us")
    requests, tables, columns, sizes = prepared(
        trace, profile, config.blocks, config.max_sequences, config.budget, 1.0, prefixes, None,
        *three,
    )  # fmt: skip
    means, slopes = _slopes(
        requests, tables, *(c[0] for c in columns[:4]), jnp.stack([c[0] for c in columns[4:]]),
        **sizes,
    )  # fmt: skip
    return np.asarray(means, float), np.asarray(slopes, float)


@partial(jax.jit, static_argnames=("seats", "layers", "skewed"))
def _slopes(  # type: ignore[no-untyped-def]
    requests, tables, blocks, most, budget, rate, constants, *, seats, layers, skewed
):
    def means(three: Any) -> Any:
        out = one_replay(
            requests, tables, blocks, most, budget, rate, *three, seats=seats, layers=layers,
            skewed=skewed,
        )  # fmt: skip
        each = jnp.stack(out[:3]) / requests[0].shape[0] / 1e3
        return each, each

    slopes, each = jax.jacfwd(means, has_aux=True)(constants)
    return each, slopes
