"""The algorithms with real messages, every byte counted where it is sent and where it arrives.

Collectives are written here out of point-to-point messages, ring all-gather, ring reduce-scatter,
pairwise all-to-all, over any communicator with MPI's ``Isend``, ``Irecv`` and ``Split``
(:mod:`quire.sketching.peers.mpi4py` starts real processes). Nothing here knows JAX or HLO.
"""

import time
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri

from quire.checks import integer
from quire.sketching.bounds.nystrom_bounds import nystrom_words
from quire.sketching.bounds.processor_grids import grid_cost
from quire.sketching.problem import Grid, Shape
from quire.sketching.random_matrix.blocks import key_of, threefry2x32


@dataclass(frozen=True)
class MessageCase:
    """One algorithm to run with real messages; Nystrom uses n1 = n2 and the grid (P, 1, 1)."""

    algorithm: Literal["sketch", "noredist", "redist"]
    n1: int
    n2: int
    r: int
    p1: int
    p2: int = 1
    p3: int = 1
    seed: int = 0

    @property
    def ranks(self) -> int:
        """Processors of the grid."""
        return Grid(self.p1, self.p2, self.p3).ranks

    def __post_init__(self) -> None:
        for name in ("n1", "n2", "r", "p1", "p2", "p3"):
            object.__setattr__(self, name, integer(name, getattr(self, name)))
        key_of(self.seed)
        shape, grid = Shape(self.n1, self.n2, self.r), Grid(self.p1, self.p2, self.p3)
        if self.algorithm not in ("sketch", "noredist", "redist"):
            raise ValueError(
                f"algorithm = {self.algorithm!r}: 'sketch', 'noredist' or 'redist' is allowed"
            )
        if self.algorithm == "sketch" and not grid.divides(shape):
            raise ValueError(f"grid = {grid}: a grid that divides {shape} is allowed")
        if self.algorithm != "sketch" and (
            self.n1 != self.n2 or grid.p1 != grid.ranks or self.n1 % self.p1 or self.r % self.p1
        ):
            raise ValueError(
                f"grid = {grid}: Nystrom is allowed with n1 = n2 on (P, 1, 1), P dividing n1 and r"
            )

    @property
    def words(self) -> float:
        """Words sent per rank by the formula."""
        if self.algorithm == "sketch":
            return grid_cost(Shape(self.n1, self.n2, self.r), Grid(self.p1, self.p2, self.p3)).words
        return nystrom_words(self.n1, self.r, self.ranks, self.algorithm)


@dataclass(frozen=True)
class MessageCount:
    """What the ranks of one case sent, and how far the result is from the dense product."""

    case: MessageCase
    bytes_sent: tuple[int, ...]  # per rank, payload of point-to-point messages
    bytes_received: tuple[int, ...]  # per rank
    error: float  # largest absolute difference

    @property
    def words_sent(self) -> float:
        """Words of 8 bytes that the busiest rank sent."""
        return max(self.bytes_sent) / 8


@dataclass
class _Traffic:
    sent: int = 0  # bytes
    received: int = 0


class CountingRing:
    """Bandwidth-optimal collectives over an MPI communicator, which count this rank's bytes."""

    def __init__(self, communicator: Any, traffic: _Traffic) -> None:
        self.communicator = communicator
        self.rank: int = communicator.Get_rank()
        self.size: int = communicator.Get_size()
        self.traffic = traffic

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
        self.traffic.sent += sent.nbytes
        self.traffic.received += received.nbytes
        return received

    def all_gather(self, part: Float[np.ndarray, "*shape"]) -> list[Float[np.ndarray, "*shape"]]:
        """Return every rank's part, in rank order: g - 1 steps around the ring."""
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
        """Return the sum over ranks of their ``parts[rank]``: g - 1 steps around the ring."""
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
    """Return the part of Ω that a rank generates for itself.

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
) -> tuple[_Traffic, float]:
    """Return the traffic and the error of the three-dimensional algorithm on this rank."""
    traffic = _Traffic()
    index = np.unravel_index(world.Get_rank(), (case.p1, case.p2, case.p3))
    i, j, k = (int(part) for part in index)
    m, c, s = case.n1 // case.p1, case.n2 // case.p2, case.r // case.p3
    along_k = CountingRing(world.Split(i * case.p2 + j, k), traffic)
    along_j = CountingRing(world.Split(i * case.p3 + k, j), traffic)
    own = a[i * m : (i + 1) * m, j * c + k * (c // case.p3) : j * c + (k + 1) * (c // case.p3)]
    local = np.concatenate(along_k.all_gather(own), axis=1)
    product = local @ omega(case, slice(j * c, (j + 1) * c), slice(k * s, (k + 1) * s))
    b = along_j.reduce_scatter(np.split(product, case.p2, axis=1))
    start = k * s + j * (s // case.p2)
    exact = a[i * m : (i + 1) * m] @ omega(case)[:, start : start + s // case.p2]
    return traffic, float(np.abs(b - exact).max())


def nystrom_on_ring(
    world: Any, case: MessageCase, a: Float[np.ndarray, "n n"]
) -> tuple[_Traffic, float]:
    """Return the traffic and the error of noredist or redist on this rank."""
    traffic = _Traffic()
    ring = CountingRing(world, traffic)
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
    return traffic, float(np.abs(z - exact).max())


def run_case(world: Any, case: MessageCase) -> tuple[int, int, float]:
    """Return the bytes sent and received by this rank, and its error against the dense product."""
    a = np.random.default_rng(case.seed).standard_normal((case.n1, case.n2))
    run = sketch_on_grid if case.algorithm == "sketch" else nystrom_on_ring
    traffic, error = run(world, case, a)
    return traffic.sent, traffic.received, error
