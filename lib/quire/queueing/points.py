"""Many farms at once: one array per parameter, all of the same length."""

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float

from quire.queueing.errors import UnstableSystem
from quire.queueing.system import Costs, Farm

Column = Float[np.ndarray, " points"]


@dataclass(frozen=True)
class Points:
    """Parameters of a batch of farms that share the number of servers ``servers``.

    Raises ``ValueError`` for columns of different lengths or a rate that is not positive, and
    ``UnstableSystem`` for a load of one or more.
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
        lengths = {len(column) for column in self.columns().values()}
        if len(lengths) != 1:
            raise ValueError(f"the columns have lengths {sorted(lengths)}; they must be equal")
        for name in ("arrival_rate", "setup_rate", "service_rate"):
            column = getattr(self, name)
            if not (np.isfinite(column).all() and (column > 0).all()):
                raise ValueError(f"{name}: every entry must be positive and finite")
        rho = self.arrival_rate / (self.servers * self.service_rate)
        if (rho >= 1).any():
            raise UnstableSystem(float(rho.max()))

    def columns(self) -> dict[str, Column]:
        """The parameters by name, without the number of servers."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "servers"}

    def __len__(self) -> int:
        return len(self.arrival_rate)

    @property
    def load(self) -> Column:
        """``rho`` of each point."""
        return self.arrival_rate / (self.servers * self.service_rate)

    def take(self, index: np.ndarray) -> "Points":
        """The points at ``index``, in that order."""
        return Points(self.servers, **{name: col[index] for name, col in self.columns().items()})

    def farm(self, index: int) -> Farm:
        """One point's farm."""
        return Farm(
            float(self.arrival_rate[index]),
            float(self.setup_rate[index]),
            self.servers,
            float(self.service_rate[index]),
        )

    def costs(self, index: int) -> Costs:
        """One point's prices."""
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
    """Points with mean service time 1; scalars and arrays of one dimension are broadcast."""
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
