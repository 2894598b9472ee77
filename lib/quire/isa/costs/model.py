"""The cost model: what a workgroup executes, times what a card does in a cycle.

A core starts workgroups one after another, keeps as many resident as fit, and shares an issue port,
a local memory and a barrier unit among them. A workgroup therefore costs the largest of

- ``dispatch``: cycles between two starts,
- its wave-instructions over the issue width, addresses folded away (a lower bound),
- its passes over local memory and its accesses to device memory, in the same pipe,
- its barriers, one after another in the barrier unit,
- its lifetime over the workgroups that are resident with it: a start, the path of its first wave,
  and every wait for memory.

Device memory adds its bandwidth, and a latency that grows with its load. A launch has a fixed cost
that hides whatever is shorter. Facts are in `Card`, the constants that were fitted in `Fitted`.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

from quire.isa.costs.cards import Card
from quire.isa.costs.profiles import Profile


@dataclass(frozen=True)
class Fitted:
    """The constants that no micro-benchmark gave; fitted on one card (`quire.isa.costs.fits`).

    Attributes
    ----------
    launch
        microseconds between two launches that do nothing
    start
        microseconds of a launch beside its busiest core
    dispatch
        cycles of a core between the starts of two workgroups
    setup
        cycles from the start of a workgroup to its first instruction, and from its last to the end
    queueing
        growth of the device latency with its load: ``latency (1 + queueing u / (1 - u))``
    barrier
        cycles of the barrier unit per cycle of a barrier alone
    local_pass
        cycles per pass over local memory
    device_access
        cycles of the same pipe per coalesced access to device memory
    """

    launch: float = 4.5
    start: float = 2.2
    dispatch: float = 160.0
    setup: float = 310.0
    queueing: float = 0.1
    barrier: float = 1.1
    local_pass: float = 1.1
    device_access: float = 3.0


FITTED_NAMES = tuple(field.name for field in fields(Fitted))


@dataclass(frozen=True)
class Work:
    """A launch to be timed: a profiled workgroup, how often, and what it keeps busy.

    Attributes
    ----------
    profile
        one workgroup; its counts may be those of ``repeats`` rounds of a loop or of one
    workgroups
        of the grid
    resident
        workgroups that a core keeps
    device_bytes
        traffic of the launch that must come from device memory or its cache
    fits_in
        bytes that are read again and again by repeated launches: if they fit the cache, they come
        from there
    repeats
        rounds of the profiled loop (tiles of a product), by which the profile is multiplied
    path
        cycles of a workgroup's first wave without waits for device memory, per round
    waits
        how often it waits for device memory, per round
    wide
        whether a compiler joined neighbouring loads of local memory
    """

    profile: Profile
    workgroups: int
    resident: int
    device_bytes: float
    fits_in: float
    path: float
    waits: float
    repeats: float = 1.0
    wide: bool = False


@dataclass(frozen=True)
class Time:
    """Microseconds of a launch, what bounds it, and one workgroup's cycles by part."""

    total: float
    bound: str
    cycles: dict[str, float]


_HALVINGS = 50


def predict(work: Work, card: Card, fitted: Fitted) -> Time:
    """Return the time of a launch on a card.

    The device latency grows with the load and the load falls with the time, so that one time fits
    both; it is found by halving, and never shorter than the bandwidth allows.
    """
    p = work.profile
    passes = p.wide_passes if work.wide else p.local_passes
    barrier = card.latencies.of_barrier(p.waves)
    cycles = {
        "dispatch": fitted.dispatch,
        "issue": work.repeats * p.essential / card.issue,
        "local memory": work.repeats
        * (fitted.local_pass * passes / card.pass_width + fitted.device_access * p.device_accesses),
        "barriers": work.repeats * p.barriers * barrier * fitted.barrier,
    }
    throughput = max(cycles.values())
    per_core = work.workgroups / card.cores
    rounds = max(per_core, float(work.resident))

    def at_latency(latency: float) -> tuple[float, float]:
        """Return the microseconds of a core, and a workgroup's share of its lifetime in cycles."""
        lifetime = fitted.setup + work.repeats * (work.path + work.waits * latency)
        share = lifetime / work.resident
        return max(per_core * throughput, rounds * share) * 1e-3 / card.clock, share

    from_device = work.fits_in > card.cache
    latency = card.device_latency if from_device else card.cache_latency
    busy, cycles["latency"] = at_latency(latency)
    bound = max(cycles, key=lambda name: cycles[name])
    if from_device:
        least = work.device_bytes / (1e3 * card.bandwidth)
        busy, cycles["latency"] = _loaded(at_latency, latency, least, fitted.queueing)
        bound = max(cycles, key=lambda name: cycles[name])
        bound = "bandwidth" if busy < 1.02 * least else bound
    if fitted.start + busy < fitted.launch:
        return Time(fitted.launch, "launch", cycles)
    return Time(fitted.start + busy, bound, cycles)


def _loaded(
    at_latency: Callable[[float], tuple[float, float]], alone: float, least: float, queueing: float
) -> tuple[float, float]:
    """Return time and latency share where the latency is that of the load; ``least``: load one."""

    def needed(time: float) -> tuple[float, float]:
        load = min(least / time, 1 - 1e-9)
        return at_latency(alone * (1 + queueing * load / (1 - load)))

    low, high = least, max(at_latency(alone)[0], least)
    while needed(high)[0] > high:
        high *= 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if needed(middle)[0] > middle else (low, middle)
    return high, needed(high)[1]
