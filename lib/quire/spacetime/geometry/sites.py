"""Sites and light delays: who can have heard of what.

All times are whole nanoseconds. Over a distance d an event at time s is known from s + d/c on, and
for a whole number of nanoseconds dt the test dt >= d/c is dt >= L with L = d/c rounded up. So the
light cone is decided in integers, on its edge as well; rounding up keeps the triangle inequality.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from quire.checks import positive, real_array
from quire.spacetime.geometry.earth import LIGHT_KM_PER_S, cartesian_km

NS_PER_KM = 1e9 / LIGHT_KM_PER_S
LATEST = 2**60
"""No time and no delay may reach this, in ns (36 years), so that their sums stay whole numbers."""

REFRACTIVE_INDEX = {"vacuum": 1.0, "microwave": 1.0003, "fibre": 1.468}


@dataclass(frozen=True, eq=False)
class Sites:
    """Places that stand still in one frame.

    Attributes
    ----------
    names
        One per site, all different.
    positions_km
        Cartesian coordinates, km; no two sites in one place (venues under one roof are one site).
    """

    names: Any
    positions_km: Any

    def __post_init__(self) -> None:
        positions = real_array("positions_km", self.positions_km, 2)
        if positions.shape[1] != 3:
            raise ValueError(f"positions_km = {positions.shape[1]} columns: must be 3")
        names = tuple(self.names) if isinstance(self.names, tuple | list) else ()
        if not all(isinstance(name, str) and name for name in names):
            raise ValueError(f"names = {names!r}: must be words that are not empty")
        if len(set(names)) != len(names) or len(names) != len(positions):
            raise ValueError(f"names = {names!r}: must be different, one per position")
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "positions_km", positions)
        apart = self.distances_km + np.where(np.eye(len(names)), np.inf, 0)
        if not (apart * NS_PER_KM > 1e-3).all():
            raise ValueError("positions_km: no two sites may stand in one place")
        if self.distances_km.max() * NS_PER_KM * 2 >= LATEST:
            raise ValueError("positions_km: sites must be less than 18 light years apart")

    @classmethod
    def on_earth(
        cls, names: Any, latitudes: Any, longitudes: Any, heights_m: Any | None = None
    ) -> "Sites":
        """Return sites from degrees of latitude and longitude (WGS84).

        Coordinates out of range are refused with a ``ValueError``.
        """
        return cls(names, cartesian_km(latitudes, longitudes, heights_m))

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def distances_km(self) -> Float[np.ndarray, "sites sites"]:
        """Straight distances, km."""
        return np.linalg.norm(self.positions_km[:, None] - self.positions_km[None], axis=2)

    @cached_property
    def positions_ns(self) -> Float[np.ndarray, "sites 3"]:
        """Positions in light nanoseconds, relative to the first site."""
        return (self.positions_km - self.positions_km[0]) * NS_PER_KM

    def delays_ns(self, refractive_index: Any = 1.0) -> Int[np.ndarray, "sites sites"]:
        """Return the nanoseconds that a signal takes at least between sites, rounded up.

        Parameters
        ----------
        refractive_index
            How many times slower than light in vacuum the signal travels; 1 or more.

        Raises
        ------
        ValueError
            For an index below one: nothing is faster than light in vacuum.
        """
        if positive("refractive_index", refractive_index) < 1:
            raise ValueError(f"refractive_index = {refractive_index!r}: must be 1 or more")
        exact = self.distances_km * NS_PER_KM * refractive_index
        # A distance that is a whole number of ns up to the rounding of its square root stays one.
        return delay_matrix(np.ceil(exact * (1 - 1e-14)).astype(np.int64))

    def index(self, name: Any) -> int:
        """Return the place of a site in `names`.

        Raises
        ------
        ValueError
            For a site that there is not.
        """
        if name not in self.names:
            raise ValueError(f"name = {name!r}: must be one of {', '.join(self.names)}")
        return self.names.index(name)

    def choose(self, *names: Any) -> "Sites":
        """Return some of the sites, in the order named; an unknown one is a ``ValueError``."""
        return Sites(names, self.positions_km[[self.index(name) for name in names]])


def check_sites(sites: Any) -> None:
    """Refuse what is no `Sites`.

    Raises
    ------
    ValueError
        For anything else.
    """
    if not isinstance(sites, Sites):
        raise ValueError(f"sites = {sites!r}: must be Sites")


def delay_matrix(delays: Any) -> Int[np.ndarray, "sites sites"]:
    """Return a matrix of delays in whole ns, after checking that it is a metric.

    The theorems of `quire.spacetime.cuts` need one: where a detour is faster than the direct way,
    a reading that fits every pair of sites may fit no cut.

    Raises
    ------
    ValueError
        For another shape, fractions, a diagonal that is not zero, delays that are not positive or
        not symmetric, or a detour that is faster than the direct way.
    """
    given = real_array("delays", delays, 2, least=0.0)
    if given.shape[0] != given.shape[1]:
        raise ValueError(f"delays = an array of shape {given.shape}: must be square")
    if (given != np.round(given)).any() or given.max() >= LATEST:
        raise ValueError("delays: must be whole nanoseconds below 2**60")
    matrix = np.asarray(delays).astype(np.int64)
    if matrix.diagonal().any():
        raise ValueError("delays: a site must be at no distance from itself")
    if (matrix != matrix.T).any():
        raise ValueError("delays: must be symmetric")
    if (matrix + np.eye(len(matrix), dtype=np.int64) <= 0).any():
        raise ValueError("delays: different sites must be at least 1 ns apart")
    for middle in range(len(matrix)):
        detour = matrix[:, middle, None] + matrix[None, middle, :]
        if (detour < matrix).any():
            a, b = np.argwhere(detour < matrix)[0]
            raise ValueError(
                f"delays: from {a} over {middle} to {b} takes {detour[a, b]} ns and directly "
                f"{matrix[a, b]} ns: must obey the triangle inequality"
            )
    return matrix


NEW_JERSEY = Sites.on_earth(
    ("Mahwah", "Secaucus", "Carteret"),
    [41.0783577, 40.7772608, 40.5843303],
    [-74.1529141, -74.071748, -74.2434266],
)
"""The data centres of NYSE (with the CTA SIP), of Cboe and others (Equinix NY4), and of Nasdaq
(with the UTP SIP), at the coordinates of Bhattacherjee et al., HFTNetView."""

CORRIDOR = Sites.on_earth(
    (*NEW_JERSEY.names, "Aurora"),
    [41.0783577, 40.7772608, 40.5843303, 41.7965645],
    [-74.1529141, -74.071748, -74.2434266, -88.243012],
)
"""New Jersey's three and CME's data centre at Aurora near Chicago."""
