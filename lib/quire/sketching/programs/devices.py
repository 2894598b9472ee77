"""Host devices to run several ranks in one process."""

import contextlib
import os

import jax
from jax.sharding import Mesh

from quire.checks import instance, integer
from quire.signatures import checked
from quire.sketching.problem import Grid

AXES = ("i", "j", "k")  # rows of A, contraction, columns of Ω


def request_devices(count: int) -> None:
    """Ask JAX for ``count`` host devices; works once per process, before its backend starts.

    Raises ``RuntimeError`` with the flag to set, when the backend already runs with fewer devices.
    """
    count = integer("count", count)
    if "--xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        # refused once the backend has started; what it has may still be enough
        with contextlib.suppress(RuntimeError):
            jax.config.update("jax_num_cpu_devices", count)
    _require(count)


def _require(count: int) -> None:
    held = len(jax.devices("cpu"))
    if held < count:
        raise RuntimeError(
            f"devices = {held}: {count} are needed; set XLA_FLAGS="
            f"--xla_force_host_platform_device_count={count} before Python starts"
        )


@checked
def mesh_of(grid: Grid) -> Mesh:
    """Return a mesh of host devices with axes i, j, k of sizes p1, p2, p3.

    Raises ``RuntimeError`` when there are too few devices.
    """
    _require(instance("grid", grid, Grid).ranks)
    devices = jax.devices("cpu")[: grid.ranks]
    return jax.make_mesh(
        (grid.p1, grid.p2, grid.p3),
        AXES,
        devices=devices,
        axis_types=(jax.sharding.AxisType.Auto,) * 3,
    )
