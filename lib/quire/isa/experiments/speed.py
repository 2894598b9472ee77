"""Lane-instructions a second: problems for the engines and NumPy, ready to be timed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import UInt32

from quire.isa import kernels
from quire.isa.engines.array.machine import load
from quire.isa.engines.execution_masks import compile_kernel
from quire.isa.engines.protocol import RunOptions
from quire.isa.program import Kernel, Launch
from quire.isa.text.assembler import assemble

PROBLEMS = ("vadd", "gemm", "reduce_local", "reduce_shuffle", "histogram")


@dataclass(frozen=True)
class Problem:
    """A kernel on a grid, its data, and the same task in NumPy."""

    name: str
    grid: int
    kernel: Kernel
    launch: Launch
    memory: UInt32[np.ndarray, " words"]
    numpy: Callable[[], Any]


def problem(name: str, grid: int, seed: int) -> Problem:
    """Return one of `PROBLEMS` on ``grid`` workgroups with random data.

    Raises
    ------
    ValueError
        another name.
    """
    generator = np.random.default_rng(seed)
    if name in ("vadd", "gemm"):
        side = int(grid**0.5)
        shape = (256 * grid,) if name == "vadd" else (8 * side, 8 * side)
        a, b = generator.random((2, *shape), np.float32)
        memory = np.stack([a, b, 0 * a]).reshape(-1).view(np.uint32)
        if name == "vadd":
            launch = Launch((grid, 1, 1), (256, 1, 1))
            kernel = assemble(kernels.vadd(a.size)).kernel()
            return Problem(name, grid, kernel, launch, memory, lambda: a + b)
        launch = Launch((side, side, 1), (8, 8, 1))
        kernel = assemble(kernels.gemm(8 * side, 8)).kernel()
        return Problem(name, grid, kernel, launch, memory, lambda: a @ b)
    if name not in PROBLEMS:
        raise ValueError(f"name = {name!r}: one of {', '.join(map(repr, PROBLEMS))}")
    data = generator.integers(0, 2**32, 256 * grid, dtype=np.uint32)
    memory = np.concatenate([data, np.zeros(max(grid, 256), np.uint32)])
    source: str = getattr(kernels, name)(data.nbytes)

    def sums() -> Any:
        return data.reshape(-1, 256).sum(1, dtype=np.uint32)

    def bins() -> Any:
        return np.bincount(data & 255, minlength=256)

    task = bins if name == "histogram" else sums
    launch = Launch((grid, 1, 1), (256, 1, 1))
    return Problem(name, grid, assemble(source).kernel(), launch, memory, task)


def runners(
    given: Problem, lanes: int, compiled: bool
) -> tuple[int, dict[str, Callable[[], object]]]:
    """Return the lane-instructions of a problem, and a function to be timed for each engine."""
    room = 1024
    while room < min(lanes, given.launch.workgroups * given.launch.threads):
        room *= 2  # a small grid gets an engine of its size
    ready = load(given.kernel, given.launch, given.memory, RunOptions(lanes=room))
    held = ready.hold(given.memory)
    work = ready.finish(ready(held)).events.slots
    timed: dict[str, Callable[[], object]] = {
        "interpreter": lambda: ready(held).status,
        "numpy": given.numpy,
    }
    if compiled:
        function = compile_kernel(given.kernel, given.launch, given.memory.size)
        memory = jnp.asarray(given.memory)
        timed["compiled"] = lambda: function(memory)[0]
    return work, timed
