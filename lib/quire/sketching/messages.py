"""The algorithms with real messages: ``mpiexec -n P python -m quire.sketching.messages CASES``.

CASES is a JSON list of :class:`quire.sketching.launch.MessageCase` fields. Collectives are
written here out of point-to-point messages, ring all-gather, ring reduce-scatter, pairwise
all-to-all, so that every byte sent is counted at its send. Rank 0 prints one JSON list: bytes
sent per rank and the error.
"""

import json
import sys
import time
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri

from quire.sketching.launch import MessageCase
from quire.sketching.random_matrix import key_of, threefry2x32


class CountingRing:
    """Bandwidth-optimal collectives over an MPI communicator; counts the bytes this rank sends."""

    def __init__(self, communicator: Any) -> None:
        self.communicator = communicator
        self.rank: int = communicator.Get_rank()
        self.size: int = communicator.Get_size()
        self.bytes_sent = 0

    def exchange(
        self, data: Float[np.ndarray, "*shape"], to: int, source: int
    ) -> Float[np.ndarray, "*shape"]:
        """Send ``data`` to one rank while receiving as much from another."""
        sent, received = np.ascontiguousarray(data), np.empty_like(data, order="C")
        requests = [
            self.communicator.Irecv(received, source=source),
            self.communicator.Isend(sent, dest=to),
        ]
        # more ranks than cores: waiting must let the others work
        while not all(request.Test() for request in requests):
            time.sleep(1e-5)
        self.bytes_sent += sent.nbytes
        return received

    def all_gather(self, part: Float[np.ndarray, "*shape"]) -> list[Float[np.ndarray, "*shape"]]:
        """Every rank's part, in rank order: g - 1 steps around the ring."""
        parts: list[Any] = [None] * self.size
        parts[self.rank] = part
        for step in range(self.size - 1):
            have, get = (self.rank - step) % self.size, (self.rank - step - 1) % self.size
            parts[get] = self.exchange(
                parts[have], (self.rank + 1) % self.size, (self.rank - 1) % self.size
            )
        return parts

    def reduce_scatter(
        self, parts: list[Float[np.ndarray, "*shape"]]
    ) -> Float[np.ndarray, "*shape"]:
        """The sum over ranks of their ``parts[rank]``: g - 1 steps around the ring."""
        total = parts[(self.rank - 1) % self.size]
        for step in range(self.size - 1):
            received = self.exchange(
                total, (self.rank + 1) % self.size, (self.rank - 1) % self.size
            )
            total = received + parts[(self.rank - step - 2) % self.size]
        return total

    def all_to_all(
        self, parts: list[Float[np.ndarray, "*shape"]]
    ) -> list[Float[np.ndarray, "*shape"]]:
        """``parts[q]`` goes to rank q; g - 1 pairwise exchanges."""
        got = list(parts)
        for step in range(1, self.size):
            to, source = (self.rank + step) % self.size, (self.rank - step) % self.size
            got[source] = self.exchange(parts[to], to, source)
        return got


def omega(
    case: MessageCase, rows: slice = slice(None), columns: slice = slice(None)
) -> Float[np.ndarray, "rows columns"]:
    """The part of Ω that a rank generates for itself.

    The same matrix as :func:`quire.sketching.block` to rounding, but through NumPy and SciPy's
    quantile: a second implementation, and no compilation in every process.
    """
    i, j = np.arange(case.n2)[rows], np.arange(case.r)[columns]
    grid = np.broadcast_arrays(i.astype(np.uint32)[:, None], j.astype(np.uint32)[None, :])
    with np.errstate(over="ignore"):  # arithmetic modulo 2^32 is meant
        high, low = threefry2x32(key_of(case.seed), *grid)
    bits = (np.asarray(high, np.uint64) << np.uint64(32)) | np.asarray(low, np.uint64)
    magnitude = (bits & np.uint64(2**63 - 1)).astype(np.float64)
    tail = (2.0**63 - magnitude) * 2.0**-64
    return np.where(bits >> np.uint64(63), 1.0, -1.0) * ndtri(tail)


def sketch_on_grid(
    world: Any, case: MessageCase, a: Float[np.ndarray, "n1 n2"]
) -> tuple[int, float]:
    """Bytes sent and error of the three-dimensional algorithm on this rank."""
    index = np.unravel_index(world.Get_rank(), (case.p1, case.p2, case.p3))
    i, j, k = (int(part) for part in index)
    m, c, s = case.n1 // case.p1, case.n2 // case.p2, case.r // case.p3
    along_k = CountingRing(world.Split(i * case.p2 + j, k))
    along_j = CountingRing(world.Split(i * case.p3 + k, j))
    own = a[i * m : (i + 1) * m, j * c + k * (c // case.p3) : j * c + (k + 1) * (c // case.p3)]
    local = np.concatenate(along_k.all_gather(own), axis=1)
    product = local @ omega(case, slice(j * c, (j + 1) * c), slice(k * s, (k + 1) * s))
    b = along_j.reduce_scatter(np.split(product, case.p2, axis=1))
    start = k * s + j * (s // case.p2)
    exact = a[i * m : (i + 1) * m] @ omega(case)[:, start : start + s // case.p2]
    return along_k.bytes_sent + along_j.bytes_sent, float(np.abs(b - exact).max())


def nystrom_on_ring(
    world: Any, case: MessageCase, a: Float[np.ndarray, "n n"]
) -> tuple[int, float]:
    """Bytes sent and error of noredist or redist on this rank."""
    ring = CountingRing(world)
    ranks, rank = ring.size, ring.rank
    m, s = case.n1 // ranks, case.r // ranks
    rows = slice(rank * m, (rank + 1) * m)
    everything = omega(case)
    y = a[rows] @ everything
    exact = everything.T @ (a @ everything)
    if case.algorithm == "noredist":
        z = ring.reduce_scatter(np.split(omega(case, rows).T @ y, ranks, axis=0))
        exact = exact[rank * s : (rank + 1) * s]
    else:
        columns = np.concatenate(ring.all_to_all(np.split(y, ranks, axis=1)), axis=0)
        z = everything.T @ columns
        exact = exact[:, rank * s : (rank + 1) * s]
    return ring.bytes_sent, float(np.abs(z - exact).max())


def main(argument: str) -> None:
    """Run the cases on this rank; rank 0 prints the result."""
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    results = []
    for case in (MessageCase(**fields) for fields in json.loads(argument)):
        a = np.random.default_rng(case.seed).standard_normal((case.n1, case.n2))
        run = sketch_on_grid if case.algorithm == "sketch" else nystrom_on_ring
        counted = world.gather(run(world, case, a))
        if counted is not None:
            sent, errors = zip(*counted, strict=True)
            results.append({"bytes_sent": list(sent), "error": max(errors)})
    if world.Get_rank() == 0:
        print(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1])
