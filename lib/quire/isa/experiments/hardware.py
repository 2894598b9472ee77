"""The cost model and the measured cards: what was fitted, what was held out, what bounds a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from quire.isa.costs import occupancy, partitioned_occupancy
from quire.isa.costs.cards import MEASURED
from quire.isa.costs.fits import Measured, fit, judge, worst
from quire.isa.costs.model import Fitted, predict
from quire.isa.costs.workloads import (
    VARIANTS,
    grid_stride,
    product_work,
    reduction_profile,
    reduction_work,
    tiles,
)
from quire.isa.dialects import DIALECTS


def small_tiles(rows: Sequence[Measured]) -> tuple[Measured, ...]:
    """Return the rows without products of tile 32, for a fit that has not seen them."""
    return tuple(row for row in rows if not row.variant.startswith("tile32"))


def fit_card(rows: Sequence[Measured], card: str) -> Fitted:
    """Fit the constants to a measured card (``"h100"`` or ``"h200"``)."""
    return fit(rows, MEASURED[card])


@dataclass(frozen=True)
class Held:
    """How well a card's launches of one kind are predicted; errors are relative.

    ``copied_*`` are the same of a plain copy of the other card's time of the same launch.
    """

    card: str
    kernel: str
    rows: int
    within: int
    median_error: float
    worst_error: float
    worst_row: str
    copied_within: int
    copied_median: float


_KINDS = {
    "reduction, one element": "one_",
    "reduction, grid stride": "many_",
    "product, tile 16": "tile16",
    "product, tile 32": "tile32",
    "histogram": "local_",
}
LAUNCH_HIDES = 2**20  # words below which a launch takes as long as the reduction


def held(
    rows: Sequence[Measured],
    card: str,
    fitted: Fitted,
    others: Sequence[Measured],
    within: float = 0.15,
) -> list[Held]:
    """Judge a card's launches, kind by kind; ``others`` are the other card's, to be copied."""
    judged, copied = judge(rows, MEASURED[card], fitted), copies(rows, others)
    table = []
    for kind, start in _KINDS.items():
        chosen = [row for row in judged if row.variant.startswith(start)]
        errors = [abs(row.error) for row in chosen]
        plain = [abs(error) for (variant, _), error in copied.items() if variant.startswith(start)]
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
                copied_within=sum(error <= within for error in plain),
                copied_median=float(np.median(plain)),
            )
        )
    return table


def copies(rows: Sequence[Measured], others: Sequence[Measured]) -> dict[tuple[str, int], float]:
    """Return the error of the other card's time for every launch that both cards ran."""
    other = {(row.variant, row.n): row.us for row in others}
    return {
        (row.variant, row.n): other[row.variant, row.n] / row.us - 1
        for row in rows
        if (row.variant, row.n) in other
    }


@dataclass(frozen=True)
class Rivals:
    """Median errors of the model and of a plain copy over launches that take longer than one."""

    rows: int
    model: float
    copied: float

    @property
    def ratio(self) -> float:
        """The model's median error over that of the copy."""
        return self.model / self.copied


def against_a_copy(
    rows: Sequence[Measured], card: str, fitted: Fitted, others: Sequence[Measured], kind: str = ""
) -> Rivals:
    """Hold the model against a copy of the other card's times, where a launch does not hide them.

    ``kind`` is the beginning of a variant's name; all launches by default.
    """
    copied = copies(rows, others)
    chosen = [
        row
        for row in judge(rows, MEASURED[card], fitted)
        if (row.variant, row.n) in copied
        and row.variant.startswith(kind)
        and (row.kernel != "reduction" or row.n >= LAUNCH_HIDES)
    ]
    errors = [abs(row.error) for row in chosen]
    plain = [abs(copied[row.variant, row.n]) for row in chosen]
    return Rivals(len(chosen), float(np.median(errors)), float(np.median(plain)))


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
        found, row = tiles(name).profile, judged[name]
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
    return {variant.name: tiles(variant.name).profile.worst_conflict for variant in ordered}


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
class Explored:
    """Speed of the tree over that of shuffles at some elements a thread."""

    n: int
    elements: int
    what: str
    ratio: float


COUNTED = {True: "instructions, empty blocks skipped", False: "instructions, every block run"}


def explored(
    card: str, fitted: Fitted, sizes: Sequence[int], elements: Sequence[int]
) -> list[Explored]:
    """Return the ratio of instructions and of modelled times, shuffles over tree.

    Where empty blocks are skipped, waves jump over blocks that none of their lanes enters, as
    hardware does; the reference emulator never does. Modelled times are those of hardware. Counts
    beyond four elements are drawn out from two and four.
    """
    machine = MEASURED[card]
    counts = {
        (how, skip): [reduction_profile(how, e, skip).instructions for e in (1, 2, 4)]
        for how in ("tree", "shuffle")
        for skip in COUNTED
    }

    def counted(how: str, skip: bool, each: int) -> float:
        one, two, four = counts[how, skip]
        return one if each == 1 else two + (each - 2) * (four - two) / 2

    table = []
    for each in elements:
        ratios = {
            what: counted("shuffle", skip, each) / counted("tree", skip, each)
            for skip, what in COUNTED.items()
        }
        for n in sizes:
            tree, shuffle = (
                predict(reduction_work(machine, how, n, float(each)), machine, fitted).total
                for how in ("tree", "shuffle")
            )
            table += [Explored(n, each, what, ratio) for what, ratio in ratios.items()]
            table.append(Explored(n, each, "modelled time", shuffle / tree))
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
        "product, tile 16": product_work(machine, "tile16_rows_unpadded", 1024),
        "product, tile 16 padded": product_work(machine, "tile16_rows_padded", 1024),
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
