"""Monte Carlo: draws of component values, and all variants run in chunks on threads."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from quire import checks
from quire.circuits.batched.parameters import Varied, check_values
from quire.circuits.batched.transient import Batch, run
from quire.signatures import checked


@dataclass(frozen=True)
class Variants:
    """Recorded voltages of every variant, and which of them converged at every step."""

    times: Float[np.ndarray, " points"]
    waves: Float[np.ndarray, "points outputs variants"]
    converged: Bool[np.ndarray, " variants"]


@checked
def draw_values(
    varied: Sequence[Varied], count: int, spread: float, seed: int
) -> dict[str, Float[np.ndarray, " variants"]]:
    """Return values drawn uniformly within ±spread of nominal, independently.

    Parameters
    ----------
    varied
        What varies, as ``Batch.varied`` holds it.
    count
        Variants.
    spread
        Half width, as a share of the nominal value.
    seed
        Of the draws.

    Raises
    ------
    ValueError
        For a spread outside (0, 1), or a count or seed that is no such number.
    """
    count, seed = checks.integer("count", count, 1, 10**8), checks.integer("seed", seed, 0)
    spread = checks.between("spread", spread, 0.0, 1.0)
    draws = np.random.default_rng(seed).uniform(1 - spread, 1 + spread, (len(varied), count))
    return {v.name: v.nominal * row for v, row in zip(varied, draws, strict=True)}


_COMPILED: set[tuple[int, int]] = set()


@lru_cache(maxsize=64)
def compiled(batch: Batch) -> Any:
    """Return the compiled program of a batch, kept for the next call."""
    return jax.jit(lambda values: run(batch, values))


@checked
def run_variants(
    batch: Batch, values: Mapping[str, Any], *, chunk: int = 256, threads: int = 2
) -> Variants:
    """Run every variant.

    Parameters
    ----------
    batch
        What `prepare` returned.
    values
        An array of values for each varied quantity.
    chunk
        Variants that run side by side in one program; the last chunk is filled up.
    threads
        Programs that run at once.

    Raises
    ------
    ValueError
        For values that do not fit, or a chunk or number of threads below 1.
    """
    chunk, threads = checks.integer("chunk", chunk), checks.integer("threads", threads)
    table = check_values(batch.varied, values)
    count = table.shape[1]
    if (id(batch), chunk) not in _COMPILED:  # else the program that is there serves a few as well
        chunk = min(chunk, count)
    starts = range(0, count, chunk)
    parts = [np.take(table, np.arange(s, s + chunk) % count, axis=1) for s in starts]

    def one(part: Any) -> tuple[Any, Any]:
        waves, ok = compiled(batch)(jnp.asarray(part))
        return np.asarray(waves), np.asarray(ok)

    done = []
    if (id(batch), chunk) not in _COMPILED:  # once, before the threads
        done = [one(parts[0])]
        _COMPILED.add((id(batch), chunk))
    rest = parts[len(done) :]
    if threads == 1 or len(rest) < 2:
        done += map(one, rest)
    else:
        with ThreadPoolExecutor(threads) as pool:
            done += pool.map(one, rest)
    waves = np.concatenate([w for w, _ in done], axis=2)[..., :count]
    ok = np.concatenate([ok for _, ok in done])[:count]
    return Variants(batch.times, waves, ok)
