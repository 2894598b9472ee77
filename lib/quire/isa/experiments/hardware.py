"""The cost model and the measured cards: what was fitted, what was held out, what it predicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from quire.isa.costs import occupancy, partitioned_occupancy
from quire.isa.costs.cards import MEASURED, Card
from quire.isa.costs.fits import Judged, Measured, fit, judge, worst
from quire.isa.costs.model import Fitted, predict
from quire.isa.costs.ranges import UNMEASURED, draw, speed_ratios
from quire.isa.costs.workloads import (
    VARIANTS,
    grid_stride,
    product_profile,
    product_work,
    reduction_profile,
    reduction_work,
)
from quire.isa.dialects import DIALECTS

MATCHES = 0.97  # speed from which the paper counts a pair as matching: its own 97.8 % is one
PAPER: Mapping[tuple[str, str], float | None] = {
    ("T4", "product"): 1.26,
    ("T4", "reduction"): 0.625,
    ("T4", "histogram"): None,
    ("M1", "product"): 1.012,
    ("M1", "reduction"): 0.978,
    ("M1", "histogram"): 1.021,
}


def small_tiles(rows: Sequence[Measured]) -> tuple[Measured, ...]:
    """Return the rows without products of tile 32, for a fit that has not seen them."""
    return tuple(row for row in rows if not row.variant.startswith("tile32"))


def fit_card(rows: Sequence[Measured], card: str) -> Fitted:
    """Fit the constants to a measured card (``"h100"`` or ``"h200"``)."""
    return fit(rows, MEASURED[card])


@dataclass(frozen=True)
class Held:
    """How well a card's launches of one kind are predicted; errors are relative."""

    card: str
    kernel: str
    rows: int
    within: int
    median_error: float
    worst_error: float
    worst_row: str


def held(rows: Sequence[Measured], card: str, fitted: Fitted, within: float = 0.15) -> list[Held]:
    """Judge a card's launches, kind by kind."""
    judged = judge(rows, MEASURED[card], fitted)
    kinds = {
        "reduction, one element a thread": "one_",
        "reduction, many elements a thread": "many_",
        "product, tile 16": "tile16",
        "product, tile 32": "tile32",
        "histogram": "local_",
    }
    table = []
    for kind, start in kinds.items():
        chosen = [row for row in judged if row.variant.startswith(start)]
        errors = [abs(row.error) for row in chosen]
        far = worst(chosen)
        table.append(
            Held(
                card=MEASURED[card].name,
                kernel=kind,
                rows=len(chosen),
                within=sum(error <= within for error in errors),
                median_error=float(np.median(errors)),
                worst_error=far.error,
                worst_row=f"{far.variant.replace('_', ' ')} at {far.n}",
            )
        )
    return table


@dataclass(frozen=True)
class Gap:
    """Speed of the tree over that of shuffles on a card at ``n`` words, measured and predicted."""

    card: str
    elements: str
    n: int
    measured: float
    predicted: float
    bound: str


def gaps(rows: Sequence[Measured], card: str, fitted: Fitted) -> list[Gap]:
    """Return the speed of the tree relative to shuffles, one and many elements a thread."""
    judged = {(row.variant, row.n): row for row in judge(rows, MEASURED[card], fitted)}
    table = []
    for size, label in (("one", "one"), ("many", "many")):
        for n in sorted({n for variant, n in judged if variant == f"{size}_local"}):
            tree, shuffle = judged[f"{size}_local", n], judged[f"{size}_shuffle", n]
            ratio, predicted = shuffle.us / tree.us, shuffle.predicted / tree.predicted
            table.append(Gap(MEASURED[card].name, label, n, ratio, predicted, tree.bound))
    return table


@dataclass(frozen=True)
class Padding:
    """One way to keep a product's tiles: passes over local memory, and times in microseconds."""

    tile: int
    read_by: str
    padding: int
    wide_loads: float
    passes: float
    measured: float
    predicted: float
    slower: float


def paddings(rows: Sequence[Measured], card: str, fitted: Fitted, n: int) -> list[Padding]:
    """Return every measured variant of a product of ``n`` rows beside the model.

    ``slower`` is the measured time over that of the same tile read by rows without padding.
    """
    judged = {
        row.variant: row
        for row in judge(rows, MEASURED[card], fitted)
        if row.kernel == "product" and row.n == n
    }
    table = []
    for name, variant in VARIANTS.items():
        if name not in judged:
            continue
        found, row = product_profile(variant), judged[name]
        table.append(
            Padding(
                tile=variant.tile,
                read_by="columns" if variant.by_columns else "rows",
                padding=variant.padding,
                wide_loads=found.wide_loads / found.waves,
                passes=found.wide_passes / found.waves,
                measured=row.us,
                predicted=row.predicted,
                slower=row.us / judged[f"tile{variant.tile}_rows_unpadded"].us,
            )
        )
    return table


def slowdowns(rows: Mapping[str, Sequence[Measured]], fitted: Fitted, padding: int) -> list[float]:
    """Return the times of products read by rows over those without padding, all cards and sizes."""
    return [
        row.slower
        for card, launches in rows.items()
        for n in sorted({launch.n for launch in launches if launch.kernel == "product"})
        for row in paddings(launches, card, fitted, n)
        if row.read_by == "rows" and row.padding == padding
    ]


def column_conflicts() -> dict[str, int]:
    """Return the worst bank conflict of tiles read by columns: 16, 32, then both padded by one."""
    chosen = [v for v in VARIANTS.values() if v.by_columns]
    ordered = sorted(chosen, key=lambda variant: (variant.padding, variant.tile))
    return {variant.name: product_profile(variant).worst_conflict for variant in ordered}


@dataclass(frozen=True)
class Residency:
    """Resident warps by the driver, by the paper's division, and with four partitions."""

    registers: int
    driver: int
    division: int
    partitions: int


def residencies(table: Sequence[Mapping[str, str]]) -> list[Residency]:
    """Return the measured occupancy of one-warp blocks beside both formulas."""
    nvidia = DIALECTS["nvidia"]
    blocks = 32  # that a multiprocessor keeps at most
    return [
        Residency(
            registers=registers,
            driver=int(row["blocks_of_one_warp"]),
            division=min(blocks, occupancy(nvidia.register_file, registers, nvidia.width)),
            partitions=min(blocks, partitioned_occupancy(nvidia, registers)),
        )
        for row in table
        for registers in (int(row["registers"]),)
    ]


@dataclass(frozen=True)
class Predicted:
    """The abstract kernel's speed over the native one's on a card that was not measured here."""

    card: str
    kernel: str
    case: str
    low: float
    median: float
    high: float
    paper: float | None


def predicted(samples: int, seed: int, sizes: Sequence[int]) -> list[Predicted]:
    """Predict the paper's pairs over the ranges of what is not known of its cards.

    The reduction's native kernel shuffles, its abstract one climbs a tree; the product's native
    kernel pads its tile by one word. The paper's sizes were not seen: ``sizes`` are words of the
    reduction. A histogram is one kernel for both, and is 1 by that.
    """
    table = []
    for name, card in UNMEASURED.items():
        drawn = draw(card, samples, seed)
        for case, many in (("one element a thread", False), ("many elements a thread", True)):
            ratios = np.concatenate([_reduction_ratios(drawn, n, many) for n in sizes])
            paper = PAPER[name, "reduction"]
            table.append(_row(name, "reduction", case, ratios, paper))
        for case, wide in (("four words a load", True), ("one word a load", False)):
            ratios = np.concatenate([_product_ratios(drawn, tile, wide) for tile in (16, 32)])
            table.append(_row(name, "product", case, ratios, PAPER[name, "product"]))
        one = np.ones(1)
        table.append(_row(name, "histogram", "one kernel", one, PAPER[name, "histogram"]))
    return table


def _row(card: str, kernel: str, case: str, ratios: np.ndarray, paper: float | None) -> Predicted:
    low, median, high = (float(np.quantile(ratios, q)) for q in (0.0, 0.5, 1.0))
    return Predicted(card, kernel, case, low, median, high, paper)


def _reduction_ratios(drawn: list[tuple[Card, Fitted]], n: int, many: bool) -> np.ndarray:
    def elements(card: Card) -> float:
        return grid_stride(card, n) if many else 1.0

    return speed_ratios(
        drawn,
        abstract=lambda card: reduction_work(card, "tree", n, elements(card)),
        native=lambda card: reduction_work(card, "shuffle", n, elements(card)),
    )


def _product_ratios(drawn: list[tuple[Card, Fitted]], tile: int, wide: bool) -> np.ndarray:
    plain, padded = VARIANTS[f"tile{tile}_rows_unpadded"], VARIANTS[f"tile{tile}_rows_padded"]
    return speed_ratios(
        drawn,
        abstract=lambda card: product_work(card, plain, 1024, wide=wide),
        native=lambda card: product_work(card, padded, 1024, wide=wide),
    )


def overall(table: Sequence[Predicted], card: str, kernel: str) -> tuple[float, float, float]:
    """Return the mean of a pair's medians over its cases, and the lowest and highest of all."""
    rows = [row for row in table if (row.card, row.kernel) == (card, kernel)]
    middle = sum(row.median for row in rows) / len(rows)
    return middle, min(row.low for row in rows), max(row.high for row in rows)


@dataclass(frozen=True)
class Both:
    """Whether one setting of the reduction leaves room for the paper's figure on each card."""

    case: str
    t4: str
    t4_possible: bool
    m1: str
    m1_possible: bool

    @property
    def possible(self) -> bool:
        """Whether the setting allows both figures."""
        return self.t4_possible and self.m1_possible


def both_reductions(table: Sequence[Predicted]) -> list[Both]:
    """Ask of each number of elements a thread whether it allows both of the paper's reductions."""
    rows = {(row.card, row.case): row for row in table if row.kernel == "reduction"}

    def seen(card: str, case: str) -> tuple[str, bool]:
        row = rows[card, case]
        paper = PAPER[card, "reduction"]
        return (
            f"{row.low:.2f} to {row.high:.2f}",
            paper is not None and row.low <= paper <= row.high,
        )

    cases = dict.fromkeys(case for _, case in rows)
    return [Both(case, *seen("T4", case), *seen("M1", case)) for case in cases]


@dataclass(frozen=True)
class Pair:
    """One of the paper's six pairs: its figure, what the model allows, and whether they match."""

    card: str
    kernel: str
    paper: float | None
    low: float
    high: float
    verdict: str


def six_pairs(table: Sequence[Predicted]) -> list[Pair]:
    """Judge for each of the six pairs whether the abstract kernel reaches 97 % of the native one.

    ``certain`` if the whole range does, ``never`` if none of it does, ``open`` otherwise.
    """
    pairs = []
    for (card, kernel), paper in PAPER.items():
        cases = [row for row in table if (row.card, row.kernel) == (card, kernel)]
        low, high = min(row.low for row in cases), max(row.high for row in cases)
        verdict = "certain" if low >= MATCHES else "never" if high < MATCHES else "open"
        pairs.append(Pair(card, kernel, paper, low, high, verdict))
    return pairs


@dataclass(frozen=True)
class Explored:
    """Tree against shuffles at some elements a thread: counted and modelled."""

    n: int
    elements: int
    skip: str
    instructions: float
    modelled: float


def explored(card: str, fitted: Fitted, sizes: Sequence[int], most: int = 64) -> list[Explored]:
    """Return the ratio of instructions and of modelled times, shuffles over tree.

    With ``skip`` waves jump over blocks that none of their lanes enters, as hardware does; the
    reference emulator never does. Modelled times are those of hardware.
    """
    table = []
    counts = {}
    for how in ("tree", "shuffle"):
        for skip in (True, False):
            at = [reduction_profile(how, e, skip).instructions for e in (1, 2, 4)]
            counts[how, skip] = at
    elements = 1
    while elements <= most:
        for skip in (True, False):
            many = {
                how: one if elements == 1 else two + (elements - 2) * (four - two) / 2
                for how in ("tree", "shuffle")
                for one, two, four in (counts[how, skip],)
            }
            for n in sizes:
                times = {
                    how: predict(
                        reduction_work(MEASURED[card], how, n, elements), MEASURED[card], fitted
                    ).total
                    for how in ("tree", "shuffle")
                }
                table.append(
                    Explored(
                        n=n,
                        elements=elements,
                        skip="empty blocks skipped" if skip else "every block run",
                        instructions=many["shuffle"] / many["tree"],
                        modelled=times["shuffle"] / times["tree"],
                    )
                )
        elements *= 2
    return table


@dataclass(frozen=True)
class Bounds:
    """Cycles of one workgroup by part, and what bounds the launch."""

    kernel: str
    dispatch: float
    issue: float
    local_memory: float
    barriers: float
    latency: float
    bound: str


def bounds(card: str, fitted: Fitted, n: int) -> list[Bounds]:
    """Return what bounds the reductions of ``n`` words and a product of 1024 rows on a card."""
    machine = MEASURED[card]
    works = {
        "tree, one element": reduction_work(machine, "tree", n),
        "shuffles, one element": reduction_work(machine, "shuffle", n),
        "tree, many elements": reduction_work(machine, "tree", n, grid_stride(machine, n)),
        "product, tile 16": product_work(machine, VARIANTS["tile16_rows_unpadded"], 1024),
        "product, tile 16 padded": product_work(machine, VARIANTS["tile16_rows_padded"], 1024),
    }
    table = []
    for kernel, work in works.items():
        time = predict(work, machine, fitted)
        c = time.cycles
        table.append(
            Bounds(
                *(kernel, c["dispatch"], c["issue"], c["local memory"], c["barriers"]),
                *(c["latency"], time.bound),
            )
        )
    return table


def judged_rows(rows: Sequence[Measured], card: str, fitted: Fitted) -> tuple[Judged, ...]:
    """Return every measured launch beside its prediction."""
    return judge(rows, MEASURED[card], fitted)
