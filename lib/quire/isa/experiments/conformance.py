"""Would one have found the deviations without knowing? A fuzzer hunts each of them."""

import time
from dataclasses import dataclass

from quire.isa.deviations import FOUND_BY_RUNNING
from quire.isa.fuzzing import hunt


@dataclass(frozen=True)
class Hunted:
    """One deviation: programs drawn until one told it, statements before and after shrinking."""

    deviation: str
    found: bool
    programs: int
    statements: int
    shrunk: int
    smallest: str
    seconds: float


def hunts(seed: int, programs: int) -> list[Hunted]:
    """Hunt every deviation that was first found by running; ``seconds`` differ from run to run."""
    table = []
    for deviation in FOUND_BY_RUNNING:
        started = time.perf_counter()
        found = hunt(deviation, seed, programs)
        seconds = time.perf_counter() - started
        name = str(deviation.name).lower().replace("_", " ")
        if found is None:
            table.append(Hunted(name, False, programs, 0, 0, "", seconds))
            continue
        text = "; ".join(statement.text for statement in found.program)
        table.append(
            Hunted(name, True, found.programs, found.first_size, found.size, text, seconds)
        )
    return table
