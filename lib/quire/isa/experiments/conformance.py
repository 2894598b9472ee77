"""Would one have found the deviations without knowing? A fuzzer hunts each of them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quire.isa.deviations import FOUND_BY_RUNNING, Deviation
from quire.isa.fuzzing import differs, draw_program, hunt
from quire.isa.program import Launch


@dataclass(frozen=True)
class Hunted:
    """One deviation: programs drawn until one told it, statements before and after shrinking.

    There are no statements where no program told it.
    """

    deviation: str
    found: bool
    programs: int
    statements: int | None
    shrunk: int | None
    smallest: str
    seconds: float


def _named(deviation: Deviation) -> str:
    return str(deviation.name).lower().replace("_", " ")


def hunts(seed: int, programs: int) -> list[Hunted]:
    """Hunt every deviation that was first found by running; ``seconds`` differ from run to run."""
    table = []
    for deviation in FOUND_BY_RUNNING:
        started = time.perf_counter()
        found = hunt(deviation, seed, programs)
        seconds = time.perf_counter() - started
        name = _named(deviation)
        if found is None:
            table.append(Hunted(name, False, programs, None, None, "", seconds))
            continue
        text = "; ".join(statement.text for statement in found.program)
        table.append(
            Hunted(name, True, found.programs, found.first_size, found.size, text, seconds)
        )
    return table


def slowest(rows: Sequence[Hunted], seed: int, rounds: int) -> tuple[float, float, float]:
    """Return the seconds of the slowest hunt, and how far the clock moves them either way.

    Ten programs are drawn and tried in each round; the interval is that of the rounds, relative to
    their median.
    """
    row = max(rows, key=lambda row: row.seconds)
    deviation = next(d for d in FOUND_BY_RUNNING if _named(d) == row.deviation)
    launch, paces, generator = (
        Launch(workgroup=(16, 1, 1), wave_width=8),
        [],
        np.random.default_rng(seed),
    )
    drawn = [draw_program(lambda n: int(generator.integers(n)), 16) for _ in range(10)]
    for _ in range(rounds):
        started = time.perf_counter()
        for program in drawn:
            differs(program, deviation, launch)
        paces.append(time.perf_counter() - started)
    pace = row.seconds / float(np.median(paces))
    return row.seconds, pace * min(paces), pace * max(paces)
