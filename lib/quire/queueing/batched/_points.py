"""Many farms at once: one array per parameter, all of the same length."""

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float

from quire.checks import integer, real_array
from quire.queueing.errors import UnstableSystem
from quire.queueing.farm import Costs, Farm

MOST_SERVERS = 200
"""Servers of a batched farm: levels cost their cube in time and their square in memory."""

Column = Float[np.ndarray, " points"]


@dataclass(frozen=True)
class Points:
    """Parameters of a batch of farms that share the number of servers ``servers``.

    Whole numbers are taken as floats. A rate that is not positive, a negative price, or anything
    not finite is refused with a ``ValueError``.

    Raises
    ------
    ValueError
        For columns of different lengths.
    UnstableSystem
        For a load of one or more.
    """

    servers: int
    arrival_rate: Column
    setup_rate: Column
    service_rate: Column
    server: Column  # c
    setup_share: Column  # gamma
    delay: Column  # w
    allocation: Column  # C_a

    def __post_init__(self) -> None:
        object.__setattr__(self, "servers", integer("servers", self.servers, 1, MOST_SERVERS))
        for name, values in self.columns().items():
            above = 0.0 if name.endswith("_rate") else -np.inf
            object.__setattr__(self, name, real_array(name, values, 1, least=0, above=above))
        lengths = {len(values) for values in self.columns().values()}
        if len(lengths) != 1:
            raise ValueError(f"the columns have lengths {sorted(lengths)}; they must be equal")
        rho = self.arrival_rate / (self.servers * self.service_rate)
        if (rho >= 1).any():
            raise UnstableSystem(float(rho.max()))

    def columns(self) -> dict[str, Column]:
        """Return the parameters by name, without the number of servers."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "servers"}

    def __len__(self) -> int:
        return len(self.arrival_rate)

    @property
    def load(self) -> Column:
        """``rho`` of each point."""
        return self.arrival_rate / (self.servers * self.service_rate)

    def take(self, index: np.ndarray) -> "Points":
        """Return the points at ``index``, in that order."""
        return Points(self.servers, **{name: col[index] for name, col in self.columns().items()})

    def farm(self, index: int) -> Farm:
        """Return one point's farm."""
        return Farm(
            float(self.arrival_rate[index]),
            float(self.setup_rate[index]),
            self.servers,
            float(self.service_rate[index]),
        )

    def costs(self, index: int) -> Costs:
        """Return one point's prices."""
        return Costs(
            float(self.server[index]),
            float(self.setup_share[index]),
            float(self.delay[index]),
            float(self.allocation[index]),
        )


def points(
    servers: int,
    load: np.ndarray | float,
    setup_rate: np.ndarray | float,
    delay: np.ndarray | float,
    allocation: np.ndarray | float = 0.0,
    setup_share: np.ndarray | float = 1.0,
    server: np.ndarray | float = 1.0,
) -> Points:
    """Return points with mean service time 1; scalars and arrays of one dimension are broadcast."""
    load, alpha, w, fee, gamma, c = np.broadcast_arrays(
        *(
            np.atleast_1d(np.asarray(x, dtype=float))
            for x in (load, setup_rate, delay, allocation, setup_share, server)
        )
    )
    return Points(
        servers=servers,
        arrival_rate=load * servers,
        setup_rate=alpha.copy(),
        service_rate=np.ones_like(alpha),
        server=c.copy(),
        setup_share=gamma.copy(),
        delay=w.copy(),
        allocation=fee.copy(),
    )
