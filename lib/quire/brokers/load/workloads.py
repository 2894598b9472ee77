"""What is sent to a broker: how many, how often, how large, for how long."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from quire.brokers.measuring.schedules import Schedule, schedule
from quire.brokers.protocols.stamps import LEAST_PAYLOAD
from quire.checks import integer, non_negative, positive
from quire.signatures import checked

_LARGEST_PAYLOAD = 64 * 1024 * 1024


@checked
@dataclass(frozen=True)
class Workload:
    """An open loop of publishers and subscribers.

    Attributes
    ----------
    pairs
        Publishers; each has a topic of its own.
    rate_per_s
        Messages a second of each publisher.
    payload
        Bytes of a message, at least the 24 of its stamp.
    seconds, ignore_s
        Length of the run, and what is left out of it at either end.
    arrival, seed
        Deterministic with random phases, or Poisson.
    subscribers
        None: one subscriber per publisher. Else a fan-out: all subscribe to the one publisher.
    qos
        Of MQTT, for publishing and subscribing.
    nodelay
        Whether the clients' sockets switch Nagle's algorithm off.
    reconnect
        Whether clients come back after a reset, with a session that persists.
    drain_s
        How long to wait, after the end, for what is still under way.
    awake_s
        For how long before a message is due the generator does not sleep. A process that sleeps
        wakes late by some 0.1 ms; staying awake costs processor time, which then counts as the
        generator's.
    """

    pairs: int = 10
    rate_per_s: float = 10.0
    payload: int = 1024
    seconds: float = 10.0
    ignore_s: float = 1.0
    arrival: str = "deterministic"
    seed: int = 7
    subscribers: int | None = None
    qos: int = 0
    nodelay: bool = True
    reconnect: bool = False
    drain_s: float = 2.0
    awake_s: float = 0.0

    def __post_init__(self) -> None:
        # NumPy's numbers become Python's: the generator's processes are told in JSON
        self._set("pairs", integer("pairs", self.pairs))
        self._set("rate_per_s", positive("rate_per_s", self.rate_per_s))
        self._set("payload", integer("payload", self.payload, LEAST_PAYLOAD, _LARGEST_PAYLOAD))
        self._set("seconds", positive("seconds", self.seconds))
        self._set("ignore_s", non_negative("ignore_s", self.ignore_s))
        if 2 * self.ignore_s >= self.seconds:
            raise ValueError(f"ignore_s = {self.ignore_s!r}: must leave a part of seconds")
        if self.arrival not in ("deterministic", "poisson"):
            raise ValueError(f"arrival = {self.arrival!r}: must be 'deterministic' or 'poisson'")
        self._set("seed", integer("seed", self.seed, 0))
        self._set("qos", integer("qos", self.qos, 0, 2))
        self._set("drain_s", non_negative("drain_s", self.drain_s))
        self._set("awake_s", non_negative("awake_s", self.awake_s))
        for name in ("nodelay", "reconnect"):
            value = getattr(self, name)
            if not isinstance(value, bool | np.bool_):
                raise ValueError(f"{name} = {value!r}: must be True or False")
            self._set(name, bool(value))
        if self.subscribers is not None:
            self._set("subscribers", integer("subscribers", self.subscribers))
            if self.pairs != 1:
                raise ValueError(f"pairs = {self.pairs}: must be 1 in a fan-out")

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    @property
    def offered_per_s(self) -> float:
        """Deliveries a second that are due."""
        return self.pairs * self.rate_per_s * (self.subscribers or 1)

    @property
    def connections(self) -> int:
        """Connections that the broker holds."""
        return self.pairs + (self.subscribers or self.pairs)

    @property
    def window_ns(self) -> tuple[int, int]:
        """From and to, since the start: messages due there are judged."""
        return int(self.ignore_s * 1e9), int((self.seconds - self.ignore_s) * 1e9)

    def schedule(self) -> Schedule:
        """Return all due times."""
        return schedule(
            self.pairs, self.rate_per_s, self.seconds, arrival=self.arrival, seed=self.seed
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)
