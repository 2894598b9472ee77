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


_ROUNDS = 60


def predict(work: Work, card: Card, fitted: Fitted) -> Time:
    """Return the time of a launch on a card.

    The device latency depends on the load and the load on the time: a fixed point, damped.
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
    per_core = work.workgroups / card.cores
    from_device = work.fits_in > card.cache
    alone = card.device_latency if from_device else card.cache_latency
    latency, busy = alone, 1.0
    for _ in range(_ROUNDS):
        lifetime = fitted.setup + work.repeats * (work.path + work.waits * latency)
        cycles["latency"] = lifetime / work.resident
        rounds = max(per_core, float(work.resident))
        busy = max(per_core * max(cycles.values()), rounds * cycles["latency"])
        busy *= 1e-3 / card.clock
        if not from_device:
            break
        load = min(work.device_bytes / busy / (1e3 * card.bandwidth), 0.97)
        latency = 0.5 * latency + 0.5 * alone * (1 + fitted.queueing * load / (1 - load))
    bound = max(cycles, key=lambda name: cycles[name])
    if from_device and work.device_bytes / (1e3 * card.bandwidth) > busy:
        busy, bound = work.device_bytes / (1e3 * card.bandwidth), "bandwidth"
    if fitted.start + busy < fitted.launch:
        return Time(fitted.launch, "launch", cycles)
    return Time(fitted.start + busy, bound, cycles)
