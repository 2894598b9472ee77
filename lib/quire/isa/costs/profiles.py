"""What one workgroup of a kernel executes, counted from a run: the cost model's only input."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt32

from quire.isa.costs.bank_conflicts import conflict_degree, transactions, wide_passes
from quire.isa.costs.critical_path import Latencies, path_cycles
from quire.isa.engines.array import control
from quire.isa.engines.array.machine import events_of, load
from quire.isa.engines.array.microcode import ACTIONS
from quire.isa.engines.array.microcode import Memory as Touches
from quire.isa.engines.protocol import DEFAULTS, Events, Memory, RunOptions
from quire.isa.engines.recording import Seen, steps
from quire.isa.program import Instruction, Kernel, Launch

_LOCAL = (Touches.STORE_LOCAL, Touches.ATOMIC_LOCAL)


@dataclass(frozen=True)
class Profile:
    """What one workgroup executes, on average over a launch, in wave-instructions.

    Attributes
    ----------
    waves, width
        waves of a workgroup, lanes of a wave
    instructions, barriers
        wave-instructions, and barriers of a workgroup
    essential
        wave-instructions that touch floats, memory, other lanes or a barrier, four joined loads
        counted as one: what is left when a compiler has folded all addresses away
    local_accesses
        loads, stores and atomics of local memory
    local_passes
        the same, each as often as its bank conflicts make it
    wide_passes
        the same if a compiler joins four neighbouring loads where their addresses allow it
    wide_loads
        how many loads of 16 bytes a lane it makes of them
    worst_conflict
        the largest number of passes of one access
    device_accesses, device_bytes
        loads, stores and atomics of device memory, and their traffic in lines of 32 bytes
    trace
        what the first wave ran, for its critical path
    events
        the counters of the whole launch
    """

    waves: int
    width: int
    instructions: float
    essential: float
    barriers: float
    local_accesses: float
    local_passes: float
    wide_passes: float
    wide_loads: float
    worst_conflict: int
    device_accesses: float
    device_bytes: float
    trace: tuple[Instruction, ...]
    events: Events

    def path(self, latencies: Latencies) -> tuple[float, float]:
        """Return the first wave's cycles without device memory, and how often it waits for it."""
        near = path_cycles(self.trace, latencies, 0.0, self.waves)
        far = path_cycles(self.trace, latencies, 1e6, self.waves)
        return near, float(round((far - near) / 1e6))


@dataclass
class _Loads:
    """Loads of local memory between two barriers of one workgroup, all lanes active."""

    places: list[UInt32[np.ndarray, "waves lanes"]]
    passes: list[int]

    def joined(self, banks: int) -> tuple[int, int]:
        """Return passes and wide loads after joining fours of neighbouring words."""
        at = {places.tobytes(): number for number, places in enumerate(self.places)}
        left, total, wide = set(range(len(self.places))), 0, 0
        for number, places in enumerate(self.places):
            four = [at.get((places + np.uint32(4 * k)).tobytes(), -1) for k in range(4)]
            if (places % 16 == 0).all() and number in left and set(four) <= left:
                left -= set(four)
                total += int(wide_passes(places, banks).sum())
                wide += len(places)
        return total + sum(self.passes[number] for number in left), wide


def _is_local(seen: Seen) -> bool:
    return seen.row.memory in _LOCAL or seen.row.action == ACTIONS["load_local"]


def profile(
    kernel: Kernel,
    launch: Launch,
    memory: Memory,
    *,
    banks: int = 32,
    options: RunOptions = DEFAULTS,
) -> Profile:
    """Run a launch on the mask stack, step by step, and look at every address.

    With ``options.skip_empty`` waves jump over blocks that none of their lanes enters, as hardware
    does; without it every wave-instruction counts, as the reference counts them.
    """
    width, waves = launch.wave_width, launch.waves
    accesses = passes = joined = wide = far = traffic = worst = 0
    trace: list[Instruction] = []
    loads = _Loads([], [])
    counters = np.zeros(control.COUNTERS, np.int64)
    loaded = load(kernel, launch, memory, options)
    used = int(loaded.batch.each) * waves * width

    def close() -> None:
        nonlocal joined, wide, loads
        total, made = loads.joined(banks)
        joined, wide, loads = joined + total, wide + made, _Loads([], [])

    for state, seen in steps(loaded, memory):
        counters = np.array(state.counters)
        if seen is None:
            break
        active: Bool[np.ndarray, "waves lanes"] = seen.active[:used].reshape(-1, width)
        first = int(state.first) == 0 and active[0].any()
        if first and seen.row.event >= 0:
            trace.append(kernel.instructions[seen.row.index])
        if seen.row.control == control.Control.BARRIER:
            close()
        if not seen.row.width:
            continue
        places = seen.places[:used].reshape(-1, width)
        busy = active.any(axis=1)
        if _is_local(seen):
            degrees = conflict_degree(places, active, banks)
            accesses, worst = accesses + int(busy.sum()), max(worst, int(degrees.max()))
            passes += int(degrees.sum())
            if not seen.row.memory and busy.any() and active[busy].all():
                loads.places.append(places[busy].copy())
                loads.passes.append(int(degrees.sum()))
            else:
                joined += int(degrees.sum())
        else:
            far += int(busy.sum())
            traffic += 32 * int(transactions(places, active, seen.row.width).sum())
    close()
    events = events_of(counters, launch)
    each = 1 / launch.workgroups
    essential = events.float + events.memory + events.wave + events.atomic
    essential += events.barriers * waves - 3 * wide
    return Profile(
        waves=waves,
        width=width,
        instructions=events.instructions * each,
        essential=essential * each,
        barriers=events.barriers * each,
        local_accesses=accesses * each,
        local_passes=passes * each,
        wide_passes=joined * each,
        wide_loads=wide * each,
        worst_conflict=worst,
        device_accesses=far * each,
        device_bytes=traffic * each,
        trace=tuple(trace),
        events=events,
    )
