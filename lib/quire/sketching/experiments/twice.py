"""Nystrom, which sketches twice: compiled costs beside the bounds, and tiny instances searched."""

from collections.abc import Sequence
from dataclasses import dataclass

from quire.sketching.bounds.assignments import enumerate_two_ranks, least_words
from quire.sketching.bounds.nystrom_bounds import (
    nystrom_coupled_bound,
    nystrom_decoupled_bound,
    nystrom_words,
)
from quire.sketching.problem import Grid, Shape
from quire.sketching.programs.algorithms import input_spec, nystrom_products
from quire.sketching.programs.certificates import certify


@dataclass(frozen=True)
class CertifiedNystrom:
    """Both compiled algorithms for one n, and the bounds."""

    n: int
    r: int
    ranks: int
    noredist: float  # words, read from the compiled program
    redist: float
    coupled_bound: float  # in the class of load-balanced second products
    decoupled_bound: float  # without that assumption

    @property
    def ratio(self) -> float:
        """Words of the better algorithm over the coupled bound."""
        return min(self.noredist, self.redist) / self.coupled_bound


@dataclass(frozen=True)
class SearchedInstance:
    """The least words of any assignment of a tiny instance."""

    n: int
    r: int
    ranks: int
    class_of: str  # inside (first product free) or outside (it may move data as well)
    bound: float  # words
    least: float  # words of the best assignment found; infinite when none was found in time
    at_least: float  # certified: no assignment sends fewer

    @property
    def complete(self) -> bool:
        """Whether the search was complete, so that nothing does better than ``least``."""
        return self.least - self.at_least < 1e-6

    @property
    def ratio(self) -> float:
        """Certified least words over the bound."""
        return self.at_least / self.bound


@dataclass(frozen=True)
class Beyond:
    """Formulas where the bound without a class is not zero: P > r."""

    n: int
    r: int
    ranks: int
    best: float  # words of the better algorithm
    decoupled_bound: float

    @property
    def ratio(self) -> float:
        """Words of the better algorithm over the bound without a class."""
        return self.best / self.decoupled_bound


def beyond(n: int, r: int, ranks: Sequence[int]) -> tuple[Beyond, ...]:
    """Return the better algorithm's formula over the bound without a class, for P > r."""
    return tuple(
        Beyond(
            n, r, p, min(nystrom_words(n, r, p, name) for name in ("noredist", "redist")),
            nystrom_decoupled_bound(n, r, p).words,
        )
        for p in ranks
        if p > r
    )  # fmt: skip


def certified_nystrom(ranks: Sequence[int], r: int, seed: int) -> tuple[CertifiedNystrom, ...]:
    """Compile both algorithms below, at and beyond P = n/r, for every P that divides r."""
    rows = []
    for p in ranks:
        if p < 2 or r % p:
            continue
        for n in sorted({max(r, p * r // 2), p * r, 4 * p * r}):
            spec = input_spec(Shape(n, n, r), Grid(p, 1, 1))
            words = {
                name: certify(nystrom_products(n, r, p, name, seed), spec).words
                for name in ("noredist", "redist")
            }
            rows.append(
                CertifiedNystrom(
                    n, r, p, words["noredist"], words["redist"], nystrom_coupled_bound(n, r, p),
                    nystrom_decoupled_bound(n, r, p).words,
                )
            )  # fmt: skip
    return tuple(rows)


def searched_instances(seconds: float) -> tuple[SearchedInstance, ...]:
    """Search tiny instances for an assignment of fewer words than the coupled bound.

    Those of two ranks are enumerated; the others are solved by integer programming, each within
    ``seconds``. Words are whole: the bound rounded up is what a search can attain.
    """
    rows = []
    for n, r in ((2, 2), (4, 2)):
        least = float(enumerate_two_ranks(n, r))
        bound = nystrom_coupled_bound(n, r, 2)
        rows.append(SearchedInstance(n, r, 2, "inside", bound, least, least))
    instances = [(3, 3, 3, True), (6, 2, 2, True), (4, 2, 4, True), (2, 2, 2, False)]
    instances += [(4, 2, 2, False), (3, 3, 3, False), (6, 2, 2, False)]
    for n, r, p, inside in instances:
        try:
            found = least_words(n, r, p, first_product_free=inside, seconds=seconds)
            words, at_least = found.words, found.at_least
        except RuntimeError:  # no assignment in time
            words, at_least = float("inf"), 0.0
        rows.append(
            SearchedInstance(
                n, r, p, "inside" if inside else "outside", nystrom_coupled_bound(n, r, p),
                words, at_least,
            )
        )  # fmt: skip
    return tuple(rows)
