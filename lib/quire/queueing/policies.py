"""The simple policies: each says how many servers it wants in each state.

A policy is a small frozen dataclass with ``targets(farm)``: a table of wanted servers (active plus
in setup) for ``n`` requests and ``a`` active servers. What happens with the difference is the
business of the chain: missing servers are set up, surplus idle servers are released.

The rules are ours, in the spirit of the simple policies that Carlsson and Eager (2025) describe
in their abstract; the authors' own names and rules were not available to us.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from quire.checks import instance, integer, non_negative, positive
from quire.queueing.errors import UnstableSystem
from quire.queueing.exact.closed_forms import best_static
from quire.queueing.farm import MOST_LEVELS, Costs, Farm
from quire.signatures import checked

Targets = Int[np.ndarray, "levels phases"]


@runtime_checkable
class Policy(Protocol):
    """What every policy offers: a name for a legend and its table of targets."""

    @property
    def name(self) -> str:
        """The policy with its parameters, as a legend shows it."""
        ...

    def targets(self, farm: Farm, levels: int) -> Targets:
        """Return the wanted servers ``[n, a]`` for ``n = 0..levels`` and ``a = 0..K``."""
        ...


@runtime_checkable
class TimedRelease(Protocol):
    """A policy whose idle servers also go after an exponential time of their own."""

    def releases(self, farm: Farm, levels: int) -> Float[np.ndarray, "levels phases"]:
        """Return the rate at which some idle server is released, in state ``[n, a]``."""
        ...


def release_rates(
    policy: Policy, farm: Farm, levels: int
) -> Float[np.ndarray, "levels phases"] | None:
    """Return the timed releases of ``policy``, or None if it has none."""
    return policy.releases(farm, levels) if isinstance(policy, TimedRelease) else None


def _grid(farm: Farm, levels: int) -> tuple[np.ndarray, np.ndarray]:
    instance("farm", farm, Farm)
    levels = integer("levels", levels, 0, MOST_LEVELS)
    n, a = np.indices((levels + 1, farm.servers + 1))
    return n, a


def checked_targets(policy: Policy, farm: Farm, levels: int) -> Targets:
    """Return the policy's table.

    Raises
    ------
    ValueError
        Names the first state whose target lies outside 0..K; also for what is no policy.
    """
    if not isinstance(policy, Policy):
        raise ValueError(f"policy = {policy!r}: must offer a name and targets(farm, levels)")
    table = policy.targets(farm, levels)
    bad = np.argwhere((table < 0) | (table > farm.servers))
    if len(bad):
        n, a = (int(x) for x in bad[0])
        raise ValueError(
            f"{policy.name} wants {int(table[n, a])} servers in state (n={n}, a={a}); "
            f"a target must lie in 0..{farm.servers}"
        )
    return table


@dataclass(frozen=True)
class Static:
    """``servers`` servers for ever: M/M/k."""

    servers: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "servers", integer("servers", self.servers, 1))

    @property
    def name(self) -> str:
        """As a legend shows it."""
        return f"static({self.servers})"

    def targets(self, farm: Farm, levels: int) -> Targets:
        """Return the same number everywhere.

        Raises
        ------
        UnstableSystem
            When they cannot keep up.
        """
        if farm.offered_load >= self.servers:
            raise UnstableSystem(farm.offered_load / max(self.servers, 1), self.name)
        n, _ = _grid(farm, levels)
        return np.full_like(n, self.servers)


@dataclass(frozen=True)
class Band:
    """Set up to ``max(floor, n + start)`` servers, release down to ``max(floor, n + keep)``.

    ``start < 0`` tolerates that many waiting requests, ``keep`` holds idle servers back. All
    threshold policies below are bands.

    Raises
    ------
    ValueError
        When ``keep < start``: what was just set up would be released at once.
    """

    floor: int = 0  # q
    start: int = 0  # r
    keep: int = 0  # d

    def __post_init__(self) -> None:
        object.__setattr__(self, "floor", integer("floor", self.floor, 0))
        object.__setattr__(self, "keep", integer("keep", self.keep, 0))
        object.__setattr__(self, "start", integer("start", self.start, -(10**9)))
        if self.keep < max(self.start, 0):
            raise ValueError(
                f"keep = {self.keep} must be at least max(start, 0) = {max(self.start, 0)}: "
                "a server that was just set up would be released at once"
            )

    @property
    def name(self) -> str:
        """As a legend shows it."""
        return f"band({self.floor},{self.start},{self.keep})"

    def targets(self, farm: Farm, levels: int) -> Targets:
        """Return ``a`` where it lies between the two limits, else the nearer limit."""
        n, a = _grid(farm, levels)
        low = np.minimum(farm.servers, np.maximum(self.floor, n + self.start))
        high = np.minimum(farm.servers, np.maximum(self.floor, n + self.keep))
        return np.clip(a, low, high)


@dataclass(frozen=True)
class OnOff(Band):
    """One server for each request: set up when a request waits, release when idle."""

    @property
    def name(self) -> str:
        """As a legend shows it."""
        return "on-off"


def floor_policy(floor: int) -> Band:
    """Return on-off allocation that never goes below ``floor`` active servers."""
    return Band(floor, 0, 0)


def spare_policy(spare: int, floor: int = 0) -> Band:
    """Return target ``max(floor, n + spare)``; a negative ``spare`` tolerates that many waiting.

    Raises
    ------
    ValueError
        When a number is not whole.
    """
    spare = integer("spare", spare, -(10**9))
    return Band(floor, spare, max(spare, 0))


@dataclass(frozen=True)
class Staggered:
    """On-off allocation with at most one server in setup at a time."""

    @property
    def name(self) -> str:
        """As a legend shows it."""
        return "staggered"

    def targets(self, farm: Farm, levels: int) -> Targets:
        """Return one more than active while requests wait, else as many as requests."""
        n, a = _grid(farm, levels)
        return np.where(n > a, np.minimum(a + 1, farm.servers), np.minimum(n, a))


@dataclass(frozen=True)
class DualThreshold:
    """One server more when ``n > up * a``, one less while ``n < down * a`` (hysteresis).

    Servers are set up one at a time; idle ones are released until the threshold no longer asks for
    it. From zero servers the first is started when a request is present.

    Raises
    ------
    ValueError
        Unless ``0 <= down < up``.
    """

    up: float
    down: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "up", positive("up", self.up))
        object.__setattr__(self, "down", non_negative("down", self.down))
        if not self.down < self.up:
            raise ValueError(
                f"down threshold must be below up threshold: down = {self.down}, up = {self.up}"
            )

    @property
    def name(self) -> str:
        """As a legend shows it."""
        return f"dual({self.up:g},{self.down:g})"

    def targets(self, farm: Farm, levels: int) -> Targets:
        """Return one up, or down to where the lower threshold is met."""
        n, a = _grid(farm, levels)
        more = np.where((n > self.up * a) & (n > 0), np.minimum(a + 1, farm.servers), a)
        if self.down == 0:
            return more
        settled = np.floor(n / self.down + 1e-9).astype(int)  # the most with n >= down * a
        return np.where(n < self.down * a, np.minimum(settled, a), more)


@dataclass(frozen=True)
class DelayedOff:
    """On-off allocation whose idle servers wait an exponential time before they are released.

    ``release_rate`` is the rate beta of that time, positive and finite; ``floor`` servers are never
    released.
    """

    release_rate: float  # beta
    floor: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "release_rate", positive("release_rate", self.release_rate))
        object.__setattr__(self, "floor", integer("floor", self.floor, 0))

    @property
    def name(self) -> str:
        """As a legend shows it."""
        return f"delayed-off({self.release_rate:g})"

    def targets(self, farm: Farm, levels: int) -> Targets:
        """Return at least ``a``: releases happen at ``release_rate``, not at a decision."""
        n, a = _grid(farm, levels)
        wanted = np.minimum(farm.servers, np.maximum(self.floor, n))
        return np.maximum(a, wanted)

    def releases(self, farm: Farm, levels: int) -> Float[np.ndarray, "levels phases"]:
        """Return ``beta`` for each idle server above the floor."""
        n, a = _grid(farm, levels)
        return self.release_rate * np.maximum(a - np.maximum(n, self.floor), 0)


@dataclass(frozen=True)
class NPolicy:
    """One server that is set up when ``threshold`` requests wait and released when none is left."""

    threshold: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "threshold", integer("threshold", self.threshold, 1))

    @property
    def name(self) -> str:
        """As a legend shows it."""
        return f"N-policy({self.threshold})"

    def targets(self, farm: Farm, levels: int) -> Targets:
        """Return 0 or 1, or what is there between the two.

        Raises
        ------
        ValueError
            For a farm of more than one server.
        """
        if farm.servers != 1:
            raise ValueError(f"servers = {farm.servers}: the N-policy is for a farm of one server")
        n, a = _grid(farm, levels)
        return np.where(n == 0, 0, np.where(n >= self.threshold, 1, a))


@dataclass(frozen=True)
class DecisionTable:
    """Targets read off a table, such as the optimum's; beyond its last row the last row holds."""

    table: Targets
    name: str = "table"

    def targets(self, farm: Farm, levels: int) -> Targets:
        """Return the table's rows."""
        return self.table[np.minimum(np.arange(levels + 1), len(self.table) - 1)]


@checked
def cheapest_static(farm: Farm, costs: Costs) -> Static:
    """Return the constant number of servers that costs least."""
    return Static(best_static(farm, costs)[0])
