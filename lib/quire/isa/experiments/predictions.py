"""The paper's six pairs on cards that were not measured here: what the model leaves possible."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from quire.isa.costs.cards import Card
from quire.isa.costs.model import Fitted, Work, predict
from quire.isa.costs.ranges import UNMEASURED, draw
from quire.isa.costs.workloads import grid_stride, product_work, reduction_work

MATCHES = 0.97  # speed from which the paper counts a pair as matching: its own 97.8 % is one
PAPER = MappingProxyType(
    {
        ("T4", "product"): 1.26,
        ("T4", "reduction"): 0.625,
        ("T4", "histogram"): None,
        ("M1", "product"): 1.012,
        ("M1", "reduction"): 0.978,
        ("M1", "histogram"): 1.021,
    }
)
STRIDE = "grid stride"
WIDE = MappingProxyType({True: "loads of four words", False: "loads of one word"})


@dataclass(frozen=True)
class Span:
    """The abstract kernel's speed over the native one's over all drawn cards.

    ``case`` says how the kernels are written, ``n`` how large the task is (words of a reduction,
    rows of a product).
    """

    card: str
    kernel: str
    case: str
    n: int
    low: float
    median: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether the paper's figure lies in the range."""
        figure = PAPER[self.card, self.kernel]
        return figure is not None and self.low <= figure <= self.high


def spans(samples: int, seed: int, sizes: Sequence[int], elements: Sequence[int]) -> list[Span]:
    """Run the model over cards drawn from the ranges of what is not known of a T4 and an M1.

    The reduction's native kernel shuffles, its abstract one climbs a tree, with each number of
    ``elements`` a thread and with a grid stride; the product's native kernel pads its tile by one
    word. The paper's sizes were not seen: ``sizes`` are words of the reduction, products have 1024
    rows and tiles of 16 or 32. There is no model of two forms of a histogram.
    """
    table = []
    for name, uncertain in UNMEASURED.items():
        drawn = draw(uncertain, samples, seed)
        settings: dict[str, int] = {_named(each): each for each in elements} | {STRIDE: 0}
        for case, each in settings.items():
            for n in sizes:
                ratios = _speeds(drawn, *(_Reduction(how, n, each) for how in ("tree", "shuffle")))
                table.append(_span(name, "reduction", case, n, ratios))
        for wide, case in WIDE.items():
            ratios = np.concatenate(
                [
                    _speeds(
                        drawn,
                        _Product(f"tile{tile}_rows_unpadded", wide),
                        _Product(f"tile{tile}_rows_padded", wide),
                    )
                    for tile in (16, 32)
                ]
            )
            table.append(_span(name, "product", case, _ROWS, ratios))
    return table


_ROWS = 1024


def _named(elements: int) -> str:
    return "1 element a thread" if elements == 1 else f"{elements} elements a thread"


@dataclass(frozen=True)
class _Reduction:
    """A reduction as work for a card; no elements a thread stand for a grid stride."""

    how: str
    n: int
    elements: int

    def work(self, card: Card) -> Work:
        each = float(self.elements) or grid_stride(card, self.n)
        return reduction_work(card, self.how, self.n, each)


@dataclass(frozen=True)
class _Product:
    """A product as work for a card."""

    variant: str
    wide: bool

    def work(self, card: Card) -> Work:
        return product_work(card, self.variant, _ROWS, wide=self.wide)


def _speeds(
    drawn: Sequence[tuple[Card, Fitted]],
    abstract: _Reduction | _Product,
    native: _Reduction | _Product,
) -> np.ndarray:
    """Return the abstract kernel's speed over the native one's, for every drawn card."""
    return np.array(
        [
            predict(native.work(card), card, fitted).total
            / predict(abstract.work(card), card, fitted).total
            for card, fitted in drawn
        ]
    )


def _span(card: str, kernel: str, case: str, n: int, ratios: np.ndarray) -> Span:
    low, median, high = (float(np.quantile(ratios, q)) for q in (0.0, 0.5, 1.0))
    return Span(card, kernel, case, n, low, median, high)


def figures_held(table: Sequence[Span]) -> int:
    """Count the paper's figures that lie in the range of at least one case."""
    return len({(row.card, row.kernel) for row in table if row.holds})


def products(table: Sequence[Span], card: str, wide: bool) -> Span:
    """Return a card's range of the product, with loads of four words or of one."""
    (found,) = (
        row for row in table if (row.card, row.kernel, row.case) == (card, "product", WIDE[wide])
    )
    return found


def farthest(table: Sequence[Span], card: str, kernel: str) -> float:
    """Return how far a pair's ranges reach from the paper's figure."""
    figure = PAPER[card, kernel] or 0.0
    rows = [row for row in table if (row.card, row.kernel) == (card, kernel)]
    return max(abs(end - figure) for row in rows for end in (row.low, row.high))


@dataclass(frozen=True)
class Both:
    """One way to write the reduction: its range on each card, and the sizes that allow both."""

    case: str
    t4_low: float
    t4_high: float
    m1_low: float
    m1_high: float
    allowed: int
    sizes: int


def both_reductions(table: Sequence[Span]) -> list[Both]:
    """Ask of each way to write the reduction at how many sizes it allows the paper's two figures.

    Lowest and highest are taken over all sizes.
    """
    rows = [row for row in table if row.kernel == "reduction"]
    found = []
    for case in dict.fromkeys(row.case for row in rows):
        t4 = {row.n: row for row in rows if (row.card, row.case) == ("T4", case)}
        m1 = {row.n: row for row in rows if (row.card, row.case) == ("M1", case)}
        found.append(
            Both(
                case=case,
                t4_low=min(row.low for row in t4.values()),
                t4_high=max(row.high for row in t4.values()),
                m1_low=min(row.low for row in m1.values()),
                m1_high=max(row.high for row in m1.values()),
                allowed=sum(t4[n].holds and m1[n].holds for n in t4),
                sizes=len(t4),
            )
        )
    return found


@dataclass(frozen=True)
class Pair:
    """One of the paper's six pairs: its figure, and what the model allows.

    ``low`` and ``high`` are over all cases and sizes, None where there is no model.
    """

    card: str
    kernel: str
    paper: float | None
    low: float | None
    high: float | None
    reaches: str


def six_pairs(table: Sequence[Span]) -> list[Pair]:
    """Say of each of the six pairs whether the abstract kernel reaches 97 % of the native one."""
    pairs = []
    for (card, kernel), paper in PAPER.items():
        rows = [row for row in table if (row.card, row.kernel) == (card, kernel)]
        if not rows:
            pairs.append(Pair(card, kernel, paper, None, None, "no model"))
            continue
        low, high = min(row.low for row in rows), max(row.high for row in rows)
        reaches = "always" if low >= MATCHES else "never" if high < MATCHES else "in some cases"
        pairs.append(Pair(card, kernel, paper, low, high, reaches))
    return pairs
