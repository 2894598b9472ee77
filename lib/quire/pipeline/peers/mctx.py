"""A search peer for rankings: DeepMind's mctx on the same states, actions and evaluations.

Needs the optional package ``mctx``. Values come from the same list scheduler through a host
callback, so evaluations to quality can be compared with
:func:`~quire.pipeline.search.rankings.tree_search`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from quire.pipeline.schedules.list_scheduling import ListScheduler
from quire.pipeline.search.rankings import RankedSteps, SearchResult, best_so_far


def mctx_search(
    scheduler: ListScheduler, *, evaluations: int = 500, seed: int = 0, bound: float | None = None
) -> SearchResult:
    """Gumbel-MuZero search over prefixes of a ranking; one simulation is one list schedule.

    A leaf's value is the reward of its prefix completed first-in-first-out; priors are uniform over
    groups whose predecessor is placed.
    """
    return mctx_searches(scheduler, evaluations=evaluations, seeds=(seed,), bound=bound)[0]


def mctx_searches(
    scheduler: ListScheduler,
    *,
    evaluations: int,
    seeds: Sequence[int],
    bound: float | None = None,
) -> list[SearchResult]:
    """Search once for each seed, as :func:`mctx_search` does, compiled only once."""
    import mctx

    # the search under way; the compiled program calls back into it
    best = best_so_far(scheduler, evaluations, np.inf, None, bound)
    worst, floor = best.makespan * 1.25, best.bound
    steps: RankedSteps = best.steps
    groups = len(steps.groups)
    before = jnp.asarray(steps.predecessor)

    def completed(place: Array) -> np.ndarray:
        rows = np.asarray(place)
        value = [
            (worst - best.offer(np.lexsort((np.arange(groups), row)))) / (worst - floor)
            for row in rows
        ]
        return np.array(value, dtype=np.float32)

    def values(place: Int[Array, "b groups"]) -> Float[Array, " b"]:
        shape = jax.ShapeDtypeStruct((place.shape[0],), jnp.float32)
        return jax.pure_callback(completed, shape, place)

    def legal(place: Int[Array, "b groups"]) -> Array:
        placed = place < groups
        ready = jnp.where(before < 0, True, placed[:, before])
        return ready & ~placed

    def logits(place: Int[Array, "b groups"]) -> Array:
        return jnp.where(legal(place), 0.0, -1e9).astype(jnp.float32)

    def step(params: None, key: Array, action: Array, place: Array) -> tuple[object, Array]:
        rows = jnp.arange(place.shape[0])
        depth = (place < groups).sum(axis=1)
        # an action that is already placed leaves the state: the tree may run past the last group
        new = jnp.where(place[rows, action] < groups, place[rows, action], depth)
        place = place.at[rows, action].set(new)
        zero = jnp.zeros(place.shape[0], jnp.float32)
        out = mctx.RecurrentFnOutput(
            reward=zero, discount=zero + 1.0, prior_logits=logits(place), value=values(place)
        )
        return out, place

    start = jnp.full((1, groups), groups)

    # the work is in the list schedules: compiled code need not be fast, but soon there
    @partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
    def search(seed: Array) -> Array:
        root = mctx.RootFnOutput(prior_logits=logits(start), value=values(start), embedding=start)
        return mctx.gumbel_muzero_policy(
            None, jax.random.key(seed), root, step, num_simulations=max(1, evaluations - 4),
            invalid_actions=~legal(start), max_num_considered_actions=groups,
        ).action  # fmt: skip

    found = []
    for seed in seeds:
        best = best_so_far(scheduler, evaluations, np.inf, None, floor)
        search(jnp.asarray(seed, dtype=jnp.uint32)).block_until_ready()
        found.append(best.result())
    return found
