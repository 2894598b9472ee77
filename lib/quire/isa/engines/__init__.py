"""Four engines, one protocol: each runs a kernel to the same memory, by another mechanism.

Read `protocol` (options, outcome, what an engine is), then the four mechanisms of divergence:
`mask_stack` (Apple's hardware), `predication` (Intel's channel enables), `lane_counters` (a program
counter per thread, NVIDIA), `execution_masks` (masks that the compiler keeps, AMD). The first three
work on arrays of lanes (`array`); the last compiles a kernel to one JAX function (`compiled`).
`recording` drives the mask stack step by step.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from quire.isa.engines.execution_masks import ExecutionMasks
from quire.isa.engines.lane_counters import LaneCounters
from quire.isa.engines.mask_stack import MaskStack
from quire.isa.engines.predication import Predication
from quire.isa.engines.protocol import Engine, Outcome, RunOptions
from quire.isa.program import Kernel, Launch
from quire.signatures import checked

__all__ = ["ENGINES", "ExecutionMasks", "LaneCounters", "MaskStack", "Predication", "run"]

_ALL: tuple[Engine, ...] = (MaskStack(), Predication(), LaneCounters(), ExecutionMasks())
ENGINES: Mapping[str, Engine] = MappingProxyType({engine.name: engine for engine in _ALL})


@checked
def run(
    kernel: Kernel,
    launch: Launch,
    memory: np.ndarray,
    *,
    engine: str = "mask stack",
    **options: Any,
) -> Outcome:
    """Run a kernel on the engine of that name; ``options`` are those of `RunOptions`.

    ``memory`` is the whole device memory as 32-bit words and is left alone. Raises the named faults
    of `quire.isa.errors`.

    Raises
    ------
    ValueError
        no engine has that name.
    """
    if not isinstance(engine, str) or engine not in ENGINES:
        raise ValueError(f"engine = {engine!r}: one of {', '.join(map(repr, ENGINES))}")
    return ENGINES[engine].run(kernel, launch, memory, RunOptions(**options))
