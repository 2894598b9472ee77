"""The cost model: counted events times a dialect's constants (ours).

A core issues wave-instructions, serves local memory pass by pass and shares the device's bandwidth;
latencies are hidden by the other resident waves. Predicting and calibrating are two functions: a
constant that was fitted to a number is never used to claim that number.
"""

from dataclasses import dataclass, replace

from quire.isa.costs._occupancy import Dialect, resident_waves
from quire.isa.costs.profiles import Profile
from quire.isa.program import Launch


@dataclass(frozen=True)
class Time:
    """Where the microseconds go; ``total`` is the largest of the first three plus the last two."""

    issue: float
    bandwidth: float
    latency: float
    barrier: float
    overhead: float

    @property
    def total(self) -> float:
        """Microseconds from start to end."""
        return max(self.issue, self.bandwidth, self.latency) + self.barrier + self.overhead

    @property
    def bound(self) -> str:
        """The largest of issue, bandwidth and latency."""
        parts = {"issue": self.issue, "bandwidth": self.bandwidth, "latency": self.latency}
        return max(parts, key=lambda name: parts[name])


@dataclass(frozen=True)
class Constants:
    """What the events do not tell: microseconds per launch, cycles per workgroup and per level.

    ``common`` are cycles that every workgroup spends once, whatever its kernel (a load that nothing
    hides, say); ``level`` are cycles per barrier beside the dialect's own.
    """

    launch: float = 0.0
    common: float = 0.0
    level: float = 0.0


def predict(
    profile: Profile,
    dialect: Dialect,
    launch: Launch,
    registers: int,
    local_bytes: int,
    workgroups: int,
    constants: Constants = Constants(),
) -> Time:
    """Time of ``workgroups`` workgroups of a profiled kernel on a dialect.

    Throughput: a wave-instruction takes ``width / lanes`` cycles, every pass over local memory
    beyond the first one cycle more, atomics one cycle per round and rate. Latency: the chain of
    loads and shuffles of one wave, once per round of resident workgroups. The profile's wave width
    must be the dialect's, and is taken as it is.
    """
    resident = resident_waves(dialect, registers, launch, local_bytes) // -(
        -launch.threads // dialect.width
    )
    per_core = max(workgroups / dialect.cores, 1.0)
    cycle = 1e-3 / dialect.clock  # microseconds
    busy = profile.instructions * profile.wave_width / dialect.lanes
    busy += profile.local_passes - profile.local_accesses
    busy += profile.atomic_rounds / dialect.atomic_rate
    chain = profile.local_loads * dialect.local_latency
    chain += profile.device_loads * dialect.device_latency
    chain += profile.shuffles * dialect.shuffle_latency
    rounds = max(per_core / resident, 1.0)
    waits = profile.barriers * (dialect.barrier_latency + constants.level)
    return Time(
        issue=busy * per_core * cycle,
        bandwidth=profile.bytes * workgroups / dialect.bandwidth * 1e-3,
        latency=chain * rounds * cycle,
        barrier=waits * rounds * cycle,
        overhead=constants.common * per_core * cycle + constants.launch,
    )


def throughput_ratio(faster: Profile, slower: Profile) -> float:
    """Time ratio if nothing but issued instructions counted."""
    return faster.instructions / slower.instructions


def calibrate_common(
    faster: Time, slower: Time, ratio: float, dialect: Dialect, workgroups: int
) -> Constants:
    """Find the common cycles per workgroup that bring the ratio of totals to ``ratio``.

    Solves ``(f + x) / (s + x) = ratio``; a common cost moves a ratio towards 1.

    Raises
    ------
    ValueError
        the ratio lies below the one without it, which no common cost can reach.
    """
    now = faster.total / slower.total
    if not now <= ratio < 1:
        raise ValueError(
            f"ratio={ratio} is not between the model's {now:.3f} and 1: no common cost reaches it"
        )
    extra = (ratio * slower.total - faster.total) / (1 - ratio)
    per_core = max(workgroups / dialect.cores, 1.0)
    return Constants(common=extra * dialect.clock * 1e3 / per_core)


def with_level(constants: Constants, cycles: float) -> Constants:
    """Return the same constants with another cost per barrier."""
    return replace(constants, level=cycles)
