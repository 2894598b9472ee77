"""Gauss-Jordan elimination with its rows on several JAX devices: real messages, one sum a step.

Rows lie cyclically over the devices. In step k each device offers its best pivot candidate; an
all-gather of the candidates' sizes says whose row wins, one sum (all others give zeros) hands it to
everybody, and a second hands the row that it changes places with.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Float

from quire.circuits.elimination.gauss_jordan import augmented
from quire.circuits.errors import SingularCircuit


def gauss_jordan_sharded(a: Any, b: Any, mesh: Mesh) -> Float[np.ndarray, "n ..."]:
    """Solve ``A X = B`` with rows shared by the devices of a one-dimensional mesh.

    Parameters
    ----------
    a, b
        A real square matrix; a right side, or several as columns.
    mesh
        Devices along one axis. Rows are padded with those of a unit matrix to share evenly.

    Raises
    ------
    ValueError
        For other arguments.
    SingularCircuit
        When the matrix is singular.
    """
    if len(mesh.axis_names) != 1:
        raise ValueError(f"mesh has axes {mesh.axis_names}: must have one")
    m = augmented(a, b)
    if m.dtype != np.float64:
        raise ValueError("a or b is complex: devices take real matrices")
    n, columns = m.shape
    axis, p = mesh.axis_names[0], mesh.devices.size
    size = -(-n // p) * p
    padded = np.zeros((size, size + columns - n))
    padded[:n, :n], padded[:n, size:] = m[:, :n], m[:, n:]
    padded[range(n, size), range(n, size)] = 1.0
    order = np.argsort(np.arange(size) % p, kind="stable")  # device d gets rows d, d + p, ...

    def local(rows: Any) -> Any:
        me = jax.lax.axis_index(axis)
        mine = jnp.arange(rows.shape[0]) * p + me  # global numbers of the rows here

        def step(k: Any, carry: Any) -> Any:
            rows, smallest = carry
            sizes = jnp.where(mine >= k, jnp.abs(rows[:, k]), -1.0)
            best = jnp.argmax(sizes)
            offers = jax.lax.all_gather(jnp.stack([sizes[best], mine[best].astype(float)]), axis)
            # the largest wins, the lowest row among equals, as in the other engines
            top = offers[:, 0].max()
            winner = jnp.min(jnp.where(offers[:, 0] == top, offers[:, 1], size)).astype(int)
            pick = lambda number: jax.lax.psum(  # noqa: E731
                jnp.where((mine == number)[:, None], rows, 0.0).sum(0), axis
            )
            pivot_row, displaced = pick(winner), pick(k)
            pivot_row = pivot_row / pivot_row[k]
            rows = jnp.where((mine == winner)[:, None], displaced, rows)
            cleared = rows - rows[:, k][:, None] * pivot_row
            rows = jnp.where((mine == k)[:, None], pivot_row, cleared)
            return rows, jnp.minimum(smallest, top)

        start = jax.lax.pcast(jnp.inf, axis, to="varying") if hasattr(jax.lax, "pcast") else jnp.inf
        rows, smallest = jax.lax.fori_loop(0, size, step, (rows, start))
        return rows, smallest[None]

    spec = PartitionSpec(axis)
    placed = jax.device_put(jnp.asarray(padded[order]), NamedSharding(mesh, spec))
    shared = jax.shard_map(local, mesh=mesh, in_specs=spec, out_specs=(spec, spec))
    rows, smallest = jax.jit(shared)(placed)
    done = np.empty_like(padded)
    done[order] = np.asarray(rows)
    if not np.min(np.asarray(smallest)) > 0:
        raise SingularCircuit("no pivot is left: the matrix is singular")
    x = done[:n, size:]
    return x[:, 0] if np.ndim(b) == 1 else x
