"""Where a launch lies in the arrays of the array engines: sizes, and what its batches share.

A batch is as many workgroups as fit the lane array; batches run one after another, which the
specification allows, since nothing orders workgroups. The lane array, the register file and the
program have a few fixed sizes, so that XLA compiles an engine once and not once per kernel.
"""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from quire.isa.engines.array.datapath import Batch
from quire.isa.engines.array.microcode import Micro, predicate_rows, seldom
from quire.isa.engines.protocol import RunOptions
from quire.isa.program import REGISTER_LIMIT, Kernel, Launch


def bucket(size: int, least: int) -> int:
    """Return the next power of two, so that few shapes are compiled."""
    return max(least, 1 << (size - 1).bit_length())


@dataclass(frozen=True)
class Shape:
    """What is compiled in: lanes, rows of registers, predicates and program, words, operations.

    The last register row is the scratch register, which no operand can name. ``every`` adds the
    operations that few kernels use (`quire.isa.engines.array.microcode.SELDOM`).
    """

    lanes: int
    registers: int
    predicates: int
    program: int
    local: int
    device: int
    every: bool

    @property
    def rows(self) -> int:
        """Rows of the register file, predicates included."""
        return self.registers + self.predicates


def shape_for(
    kernel: Kernel, launch: Launch, rows: list[Micro], words: int, local: int, lanes: int
) -> Shape:
    """Find compiled sizes that hold a launch; ``lanes`` is raised to one workgroup if it must."""
    stride = launch.waves * launch.wave_width
    lanes = max(lanes, bucket(stride, 256))
    return Shape(
        lanes=lanes,
        registers=1 + (32 if kernel.registers <= 32 else REGISTER_LIMIT),
        predicates=predicate_rows(rows),
        program=bucket(len(rows) + 1, 256),
        local=bucket(max(16 * lanes, lanes // stride * ((local + 3) // 4)), 4096),
        device=bucket(words, next((size for size in (2**15, 2**17) if words <= size), 2**20)),
        every=seldom(rows),
    )


def batch_for(launch: Launch, shape: Shape, local: int, words: int, options: RunOptions) -> Batch:
    """Return what all batches of a launch have in common."""
    stride = launch.waves * launch.wave_width
    i = np.int32
    schedule = options.schedule
    # host scalars: they become arrays when an engine is called
    values: dict[str, Any] = {
        "width": i(launch.wave_width),
        "threads": i(launch.threads),
        "stride": i(stride),
        "each": i(shape.lanes // stride),
        "total": i(launch.workgroups),
        "workgroup": np.array(launch.workgroup, np.int32),
        "grid": np.array(launch.grid, np.int32),
        "local_bytes": i(local),
        "local_words": i(-(-local // 4)),
        "device_bytes": np.int64(4 * words),
        "seed": np.uint32(schedule.seed % 2**32),
        "scatter": i(schedule.kind == "random"),
        "quantum": i(schedule.quantum),
        "skip": i(options.skip_empty),
        "deviation": i(int(options.switches)),
        "limit": np.int64(options.limit),
        "until": np.int64(2**62),
    }
    return Batch(**values)


def until(batch: Batch, steps: int) -> Batch:
    """Return the same batch with another number of steps after which to stop."""
    return batch._replace(until=jnp.int64(steps))
