"""Lane-instructions a second of the engines, beside NumPy and numba's simulator in one session."""

import numpy as np
import pytest

from quire.isa import Launch, RunOptions, assemble, kernels
from quire.isa.engines.array.machine import load
from quire.isa.engines.execution_masks import compile_kernel

LANES = 8192
GRIDS = (1, 64, 1024)


@pytest.fixture(autouse=True)
def grouped(request: pytest.FixtureRequest) -> None:
    """Compare what runs the same kernel on the same grid."""
    if "benchmark" in request.fixturenames:
        name, grid = (request.node.callspec.params[key] for key in ("name", "grid"))
        request.getfixturevalue("benchmark").group = f"{name}, a grid of {grid}"


def vadd(grid):
    count = 256 * grid
    memory = np.zeros(3 * count, np.uint32)
    memory[: 2 * count] = np.random.default_rng(1).random(2 * count, np.float32).view(np.uint32)
    return assemble(kernels.vadd(count)).kernel(), Launch((grid, 1, 1), (256, 1, 1)), memory


def gemm(grid):
    side = int(grid**0.5)
    size = 8 * side
    memory = np.zeros(3 * size * size, np.uint32)
    values = np.random.default_rng(1).random(2 * size * size, np.float32)
    memory[: 2 * size * size] = values.view(np.uint32)
    return assemble(kernels.gemm(size, 8)).kernel(), Launch((side, side, 1), (8, 8, 1)), memory


KERNELS = {"vadd": vadd, "gemm": gemm}


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", KERNELS)
def test_interpreter(benchmark, name, grid):
    kernel, launch, memory = KERNELS[name](grid)
    loaded = load(kernel, launch, memory, RunOptions(lanes=LANES))
    held = loaded.hold(memory)
    benchmark.extra_info["lane_instructions"] = loaded.finish(loaded(held)).events.slots
    benchmark(lambda: loaded(held).status.block_until_ready())


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", KERNELS)
def test_compiled(benchmark, name, grid):
    kernel, launch, memory = KERNELS[name](grid)
    function = compile_kernel(kernel, launch, memory.size)
    function(memory)[0].block_until_ready()
    benchmark(lambda: function(memory)[0].block_until_ready())


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", KERNELS)
def test_numpy(benchmark, name, grid):
    _, _, memory = KERNELS[name](grid)
    values = memory.view(np.float32)
    if name == "vadd":
        count = values.size // 3
        benchmark(lambda: values[:count] + values[count : 2 * count])
    else:
        size = int((values.size // 3) ** 0.5)
        a, b = values[: 2 * size * size].reshape(2, size, size)
        benchmark(lambda: a @ b)
