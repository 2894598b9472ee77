"""Width and order must not matter: kernels at every wave width, reductions under every schedule."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt32

from quire.isa import kernels
from quire.isa.engines import run
from quire.isa.engines.protocol import Outcome, Schedule
from quire.isa.errors import DataRace
from quire.isa.experiments.golden import LANES
from quire.isa.program import Launch
from quire.isa.text.assembler import assemble

OUT = 8192  # byte from which the kernels leave their results
KERNELS = {
    "reduce_local": (kernels.reduce_local(OUT), 4),
    "reduce_shuffle": (kernels.reduce_shuffle(OUT), 4),
    "histogram": (kernels.histogram(OUT), 4),
    "scan": (kernels.scan(OUT), 1),
    "collatz": (kernels.collatz(OUT), 1),
}


def data(seed: int) -> UInt32[np.ndarray, " words"]:
    """Return device memory with 1024 random words and room for results."""
    memory = np.zeros(4096, np.uint32)
    memory[:1024] = np.random.default_rng(seed).integers(0, 2**32, 1024, dtype=np.uint32)
    return memory


@dataclass(frozen=True)
class Width:
    """One kernel at one width; ``same``: its memory is that of the narrowest width."""

    kernel: str
    width: int
    instructions: int
    efficiency: float
    same: bool


def widths(seed: int, tried: Sequence[int]) -> list[Width]:
    """Run every kernel at every width on the same data."""
    table = []
    for name, (source, groups) in KERNELS.items():
        first: Outcome | None = None
        for width in tried:
            launch = Launch((groups, 1, 1), (256, 1, 1), width)
            outcome = run(assemble(source).kernel(), launch, data(seed), lanes=LANES)
            first = first or outcome
            events = outcome.events
            same = np.array_equal(outcome.memory, first.memory)
            table.append(Width(name, width, events.instructions, events.efficiency, same))
    return table


@dataclass(frozen=True)
class Ordered:
    """How many of the tried schedules gave wrong sums."""

    barriers: bool
    schedules: int
    wrong: int


def orders(seed: int, schedules: int = 4) -> list[Ordered]:
    """Reduce under adversarial schedules, with the kernel's barriers and without them.

    Between barriers a schedule runs the waves of a workgroup in a random order, one after another,
    or changes the wave every few steps.
    """
    memory = data(seed)
    wanted = memory[:1024].reshape(4, 256).sum(1, dtype=np.uint32)
    launch = Launch((4, 1, 1), (256, 1, 1), 8)
    tried = [Schedule("random", seed + k, quantum) for k in range(schedules) for quantum in (31, 2)]
    table = []
    for barriers in (True, False):
        kernel = assemble(kernels.reduce_local(OUT, barriers)).kernel()
        wrong = 0
        for schedule in tried:
            got = run(kernel, launch, memory, schedule=schedule, lanes=LANES).memory
            wrong += not np.array_equal(got[2048:2052], wanted)
        table.append(Ordered(barriers, len(tried), wrong))
    return table


def race_verdicts(seed: int) -> list[str]:
    """Run the race detector on the reduction with and without barriers: ``passes`` or a fault."""
    verdicts = []
    for barriers in (True, False):
        kernel = assemble(kernels.reduce_local(OUT, barriers)).kernel()
        launch = Launch((2, 1, 1), (64, 1, 1), 8)
        try:
            run(kernel, launch, data(seed), detect_races=True, lanes=LANES)
        except DataRace as found:
            verdicts.append(str(found))
        else:
            verdicts.append("passes")
    return verdicts


@dataclass(frozen=True)
class Counted:
    """Wave-instructions of the two golden reductions at one width, as the reference counts them."""

    width: int
    tree: int
    shuffle: int
    ratio: float
    tree_skipping: int
    shuffle_skipping: int
    ratio_skipping: float


def counted(seed: int, tried: Sequence[int]) -> list[Counted]:
    """Count both reductions of 4 workgroups of 256 words, never skipping and skipping."""
    table = []
    for width in tried:
        launch = Launch((4, 1, 1), (256, 1, 1), width)
        counts = [
            run(
                *(assemble(source).kernel(), launch, data(seed)), skip_empty=skip, lanes=LANES
            ).events.instructions
            for skip in (False, True)
            for source in (kernels.reduce_local(OUT), kernels.reduce_shuffle(OUT))
        ]
        tree, shuffle, tree_, shuffle_ = counts
        table.append(
            Counted(width, tree, shuffle, shuffle / tree, tree_, shuffle_, shuffle_ / tree_)
        )
    return table
