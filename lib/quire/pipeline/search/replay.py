"""An order that was searched for one batch, replayed on another: what a search saves if made once.

Microbatches of two batches correspond by size: the largest to the largest. So a ranking becomes a
pattern of (place by size, module), which any batch of the same model can follow.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from quire.pipeline.search.rankings import RankedSteps, Ranking

Pattern = tuple[tuple[int, int], ...]
"""Groups as (place of the microbatch by size, module), first the most urgent."""


def _by_size(steps: RankedSteps) -> Int[np.ndarray, " groups"]:
    """Place by size, largest first, of the microbatch of every group."""
    work = np.bincount(steps.groups[:, 0], weights=steps.work)
    place = np.empty(len(work), dtype=np.int64)
    place[np.argsort(-work, kind="stable")] = np.arange(len(work))
    return place[steps.groups[:, 0]]


def pattern(steps: RankedSteps, ranking: Ranking) -> Pattern:
    """Write a ranking as a pattern that other batches can follow."""
    sizes, modules = _by_size(steps)[ranking], steps.groups[ranking, 1]
    return tuple(zip(sizes.tolist(), modules.tolist(), strict=True))


def follow(steps: RankedSteps, given: Pattern) -> Ranking:
    """Rank the groups of a batch by a pattern; groups that it does not name come last, in order."""
    place = {group: k for k, group in enumerate(given)}
    found = zip(_by_size(steps).tolist(), steps.groups[:, 1].tolist(), strict=True)
    return np.argsort([place.get(group, len(place)) for group in found], kind="stable")
