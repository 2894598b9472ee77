"""A mask stack in hardware (Apple): the array interpreter, and the specification of the others."""

import numpy as np

from quire.isa.deviations import EVERY_DEVIATION
from quire.isa.engines.array.machine import load
from quire.isa.engines.protocol import DEFAULTS, Outcome, RunOptions, admit
from quire.isa.program import Kernel, Launch


class MaskStack:
    """The array interpreter: honours every option, names the place of every fault, counts events.

    See `quire.isa.engines.array.interpreter`.
    """

    name = "mask stack"
    honours = frozenset({"schedule", "skip_empty", "detect_races", "limit"})
    imitates = EVERY_DEVIATION

    def run(
        self, kernel: Kernel, launch: Launch, memory: np.ndarray, options: RunOptions = DEFAULTS
    ) -> Outcome:
        """Run a launch; arguments and faults as in `quire.isa.engines.protocol.Engine`."""
        admit(self, kernel, launch, memory, options)
        loaded = load(kernel, launch, memory, options)
        return loaded.finish(loaded.advance(loaded.begin(loaded.hold(memory))))
