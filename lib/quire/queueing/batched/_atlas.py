"""The atlas: thousands of farms, each solved with a proof, each with its best simple policy.

The driver works in batches and yields each as soon as it is ready, so that a caller can show
progress or save what it has.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from quire.checks import integer, integers, positive
from quire.queueing.batched._points import Points, points
from quire.queueing.batched.free_cancel import OptimalPolicies, optimum
from quire.queueing.batched.tuning import Tuned, tune_all
from quire.signatures import checked

LEVELS_ABOVE = (64, 512, 1536)  # free levels above K, more where full setup is not yet optimal


@dataclass(frozen=True)
class AtlasPage:
    """One batch of the atlas: points, certified optimum, and every tuned family."""

    index: Int[np.ndarray, " points"]  # position in the sequence that was asked for
    batch: Points
    cost: Float[np.ndarray, " points"]  # g*
    lower: Float[np.ndarray, " points"]
    upper: Float[np.ndarray, " points"]
    certified: Bool[np.ndarray, " points"]
    tuned: list[Tuned]

    @property
    def best_simple(self) -> Float[np.ndarray, " points"]:
        """Cost of the best tuned simple policy."""
        return np.min([family.cost for family in self.tuned], axis=0)

    @property
    def best_family(self) -> list[str]:
        """Name its family; of those within one part in a million the first, hence simplest."""
        best = self.best_simple
        names = []
        for i in range(len(best)):
            near = (f.family for f in self.tuned if f.cost[i] <= best[i] * (1 + 1e-6))
            names.append(next(near))
        return names

    @property
    def gap(self) -> Float[np.ndarray, " points"]:
        """``g/g* - 1`` of the best tuned simple policy."""
        return self.best_simple / self.cost - 1

    def columns(self) -> dict[str, np.ndarray]:
        """Return one array per column of a table: points, proof, each family's gap, the best.

        Gaps are ``g/g* - 1``; ``floor``, ``start`` and ``keep`` are the tuned band's settings.
        """
        batch = self.batch
        settings = next(f for f in self.tuned if f.family == "band").settings.astype(int)
        return {
            "index": self.index,
            "servers": np.full(len(self.index), batch.servers),
            "load": batch.load,
            "setup_rate": batch.setup_rate,
            "delay": batch.delay,
            "allocation": batch.allocation,
            "cost": self.cost,
            "lower": self.lower,
            "upper": self.upper,
            "certified": self.certified,
            "best": np.array(self.best_family),
            "gap": self.gap,
            **{f"gap of {f.family}": f.cost / self.cost - 1 for f in self.tuned},
            **dict(zip(("floor", "start", "keep"), settings.T, strict=True)),
        }

    def take(self, rows: Int[np.ndarray, " chosen"]) -> "AtlasPage":
        """Return some rows of the page."""
        return AtlasPage(
            self.index[rows],
            self.batch.take(rows),
            self.cost[rows],
            self.lower[rows],
            self.upper[rows],
            self.certified[rows],
            [family.take(rows) for family in self.tuned],
        )


@checked
def random_points(count: int, servers: Sequence[int], seed: int) -> list[Points]:
    """Return ``count`` points, as many for each number of servers, over the atlas's ranges.

    Load uniform in 0.1..0.95; setup rate 0.03..10 and delay weight 0.1..10 log-uniform; allocation
    fee 0 for half of the points and log-uniform in 0.1..10 for the others; c = gamma = mu = 1.
    """
    servers = integers("servers", servers, 1)
    count = integer("count", count, len(servers))
    rng = np.random.default_rng(integer("seed", seed, 0))
    groups = []
    for part, k in enumerate(servers):
        size = count // len(servers) + (part < count % len(servers))
        fee = np.where(rng.random(size) < 0.5, 0.0, 10 ** rng.uniform(-1, 1, size))
        groups.append(
            points(
                k,
                rng.uniform(0.1, 0.95, size),
                10 ** rng.uniform(np.log10(0.03), 1, size),
                10 ** rng.uniform(-1, 1, size),
                fee,
            )
        )
    return groups


def _padded(index: np.ndarray, size: int) -> np.ndarray:
    """Repeat the last point up to ``size``, so that every batch has one compiled shape."""
    return np.concatenate([index, np.full(size - len(index), index[-1])])


@checked
def atlas(
    groups: Sequence[Points], *, size: int = 64, tolerance: float = 1e-6
) -> Iterator[AtlasPage]:
    """Solve every point of every group to bounds at most ``tolerance`` apart, tune every family.

    Points are sorted by load and setup rate, so that a batch's lanes need about as many iterations.
    Points whose bounds or whose tail are not proven at ``K + 64`` free levels are solved again with
    more, in smaller batches at the end; ``certified`` says whether the proof succeeded. ``index``
    counts through all groups.

    Yields
    ------
    AtlasPage
        One batch, as soon as it is ready.
    """
    size = integer("size", size, 1)
    tolerance = positive("tolerance", tolerance)
    offset = 0
    for group in groups:
        order = np.lexsort((group.setup_rate, np.round(group.load, 1)))
        left: list[AtlasPage] = []
        for at in range(0, len(order), size):
            chosen = order[at : at + size]
            batch = group.take(_padded(chosen, size))
            best = optimum(batch, levels=group.servers + LEVELS_ABOVE[0], tolerance=tolerance)
            page = _page(offset, chosen, group.take(chosen), best, tune_all(batch))
            proven = np.flatnonzero(page.certified)
            if len(proven):
                yield page.take(proven)
            if len(proven) < len(chosen):
                left.append(page.take(np.flatnonzero(~page.certified)))
        if left:
            yield from _again(joined(left), max(1, size // 4), tolerance)
        offset += len(group)


def _again(page: AtlasPage, size: int, tolerance: float) -> Iterator[AtlasPage]:
    """Solve what is left with more free levels.

    Yields
    ------
    AtlasPage
        What is proven, and at the end what stays unproven, as it is.
    """
    for above in LEVELS_ABOVE[1:]:
        waiting = np.arange(len(page.index))
        for at in range(0, len(waiting), size):
            chosen = waiting[at : at + size]
            batch = page.batch.take(_padded(chosen, size))
            best = optimum(batch, levels=page.batch.servers + above, tolerance=tolerance)
            for name in ("cost", "lower", "upper", "certified"):
                getattr(page, name)[chosen] = getattr(best, name)[: len(chosen)]
        proven = np.flatnonzero(page.certified)
        if len(proven):
            yield page.take(proven)
        page = page.take(np.flatnonzero(~page.certified))
        if not len(page.index):
            return
    yield page


def _page(
    offset: int, chosen: np.ndarray, batch: Points, best: OptimalPolicies, tuned: list[Tuned]
) -> AtlasPage:
    count = np.arange(len(chosen))
    return AtlasPage(
        index=offset + chosen,
        batch=batch,
        cost=best.cost[count],
        lower=best.lower[count],
        upper=best.upper[count],
        certified=best.certified[count],
        tuned=[family.take(count) for family in tuned],
    )


@checked
def joined(pages: list[AtlasPage]) -> AtlasPage:
    """Return several pages of one number of servers as one."""
    first = pages[0]
    columns = {
        name: np.concatenate([page.batch.columns()[name] for page in pages])
        for name in first.batch.columns()
    }
    arrays = {
        name: np.concatenate([getattr(page, name) for page in pages])
        for name in ("index", "cost", "lower", "upper", "certified")
    }
    tuned = [
        Tuned(
            family.family,
            np.concatenate([page.tuned[i].cost for page in pages]),
            np.concatenate([page.tuned[i].settings for page in pages]),
        )
        for i, family in enumerate(first.tuned)
    ]
    return AtlasPage(batch=Points(first.batch.servers, **columns), tuned=tuned, **arrays)
