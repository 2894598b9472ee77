"""Four mechanisms of divergence, one memory: random structured programs on every engine."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quire.isa.engines import run
from quire.isa.experiments.golden import LANES
from quire.isa.fuzzing import draw_program, kernel_of, memory_for
from quire.isa.program import Launch


@dataclass(frozen=True)
class Agreement:
    """Random programs at one width: how many ran on an engine, how many left another memory."""

    width: int
    engine: str
    programs: int
    differ: int


def agreements(
    seed: int, programs: int, widths: Sequence[int], engines: Sequence[str], compiled: Sequence[int]
) -> list[Agreement]:
    """Run random programs on every engine and width and compare with the mask stack.

    Compiling takes seconds a program, so that the execution masks run only the first program, at
    those of the widths that are in ``compiled``.
    """
    generator = np.random.default_rng(seed)
    drawn = [draw_program(lambda n: int(generator.integers(n)), 12) for _ in range(programs)]
    table = []
    for width in widths:
        launch = Launch((2, 1, 1), (20, 1, 1), width)
        memory = memory_for(launch, seed)
        kernels = [kernel_of(program) for program in drawn]
        wanted = [run(kernel, launch, memory, lanes=LANES).memory for kernel in kernels]
        for engine in engines:
            if engine == "mask stack":
                continue
            count = int(width in compiled) if engine == "execution masks" else programs
            if not count:
                continue
            differ = sum(
                not np.array_equal(
                    run(kernel, launch, memory, engine=engine, lanes=LANES).memory, image
                )
                for kernel, image in zip(kernels[:count], wanted[:count], strict=True)
            )
            table.append(Agreement(width, engine, count, differ))
    return table


@dataclass(frozen=True)
class EngineAgreement:
    """All runs of one engine: at which widths, how many, and how many left another memory."""

    engine: str
    widths: str
    programs: int
    differ: int


def by_engine(rows: Sequence[Agreement]) -> list[EngineAgreement]:
    """Add up the runs of every engine over its widths."""
    return [
        EngineAgreement(
            engine=engine,
            widths=", ".join(str(row.width) for row in mine),
            programs=sum(row.programs for row in mine),
            differ=sum(row.differ for row in mine),
        )
        for engine in dict.fromkeys(row.engine for row in rows)
        for mine in ([row for row in rows if row.engine == engine],)
    ]
