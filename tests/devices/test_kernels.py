"""Kernels on a GPU: what JAX compiles for it gives what the processor gives.

``nox -s gpu`` runs the tests marked ``gpu`` where there is one. Here two of the kernels run on
another host device in its place, which shows that the comparison works, and nothing of a GPU.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import quire.queueing as queueing
from quire.isa import Launch, assemble, kernels
from quire.isa.engines.execution_masks import compile_kernel
from quire.sketching import block, sketch

Arrays = Mapping[str, np.ndarray]


def sketched() -> Arrays:
    a = np.random.default_rng(0).standard_normal((96, 160))
    return {"sketch": np.asarray(sketch(jnp.asarray(a), 16, 1))}


def drawn() -> Arrays:
    shape = (128, 32)
    return {name: np.asarray(block(1, *shape, distribution=name)) for name in ("rademacher",)}


def allocated() -> Arrays:
    found = queueing.optimum(queueing.points(3, 0.5, np.array([0.2, 1.0, 5.0]), 1.0), levels=8)
    return {"cost": np.asarray(found.cost), "certified": np.asarray(found.certified)}


def added() -> Arrays:
    count = 512
    memory = np.zeros(3 * count, np.uint32)
    memory[: 2 * count] = np.random.default_rng(1).random(2 * count, np.float32).view(np.uint32)
    kernel = assemble(kernels.vadd(count)).kernel()
    run = compile_kernel(kernel, Launch((2, 1, 1), (256, 1, 1)), memory.size)
    return {"memory": np.asarray(run(memory)[0])}


EVERY: dict[str, Callable[[], Arrays]] = {
    made.__name__: made for made in (sketched, drawn, allocated, added)
}
TOLERANCE = 1e-9


def differences(kernel: Callable[[], Arrays], device: jax.Device) -> dict[str, float]:
    """Return how far each array of a kernel on ``device`` is from the processor's, relatively."""
    with jax.default_device(jax.devices("cpu")[0]):
        expected = kernel()
    with jax.default_device(device):
        found = kernel()
    return {
        name: float(
            np.max(np.abs(found[name].astype(float) - value.astype(float)), initial=0.0)
            / max(1.0, float(np.max(np.abs(value.astype(float)), initial=0.0)))
        )
        for name, value in expected.items()
    }


@pytest.mark.gpu
@pytest.mark.parametrize("name", EVERY)
def test_a_gpu_gives_what_the_processor_gives(name: str) -> None:
    try:
        device = jax.devices("gpu")[0]
    except RuntimeError:
        pytest.skip("needs a GPU")
    assert all(gap <= TOLERANCE for gap in differences(EVERY[name], device).values())


@pytest.mark.parametrize("name", ["sketched", "drawn"])
def test_the_comparison_works_on_another_host_device(name: str) -> None:
    device = jax.devices("cpu")[1]
    assert all(gap <= TOLERANCE for gap in differences(EVERY[name], device).values())


def test_the_comparison_sees_a_difference() -> None:
    made = iter((1.0, 1.0 + 1e-6))
    gaps = differences(lambda: {"x": np.array([next(made)])}, jax.devices("cpu")[1])
    assert gaps["x"] > TOLERANCE
