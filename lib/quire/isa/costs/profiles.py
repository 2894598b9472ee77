"""What a kernel executes on one machine's addresses: events, bank conflicts, device traffic."""

from dataclasses import dataclass

import numpy as np

from quire.isa.costs.bank_conflicts import conflict_degree, multiplicity, transactions
from quire.isa.engines.array import control
from quire.isa.engines.array.machine import events_of, load
from quire.isa.engines.array.microcode import ACTIONS
from quire.isa.engines.protocol import DEFAULTS, Events, Memory, RunOptions
from quire.isa.engines.recording import steps
from quire.isa.program import Kernel, Launch


@dataclass(frozen=True)
class Profile:
    """What one workgroup of a launch executes on average, in wave-instructions.

    ``local_passes`` are local accesses weighted with their bank conflicts, ``bytes`` the device
    traffic in whole lines of 32 bytes, ``atomic_rounds`` atomics weighted with their most crowded
    address. ``local_loads``, ``device_loads`` and ``shuffles`` are per wave, for latencies.
    """

    instructions: float
    local_accesses: float
    local_passes: float
    bytes: float
    atomic_rounds: float
    barriers: float
    local_loads: float
    device_loads: float
    shuffles: float
    worst_conflict: int
    waves: int
    wave_width: int
    events: Events


def profile(
    kernel: Kernel,
    launch: Launch,
    memory: Memory,
    *,
    banks: int = 32,
    options: RunOptions = DEFAULTS,
) -> Profile:
    """Run a launch on the mask stack, step by step, and look at every address."""
    width = launch.wave_width
    totals = dict.fromkeys(("accesses", "passes", "bytes", "rounds", "near", "far", "shuffles"), 0)
    worst, counters = 0, np.zeros(control.COUNTERS, np.int64)
    loaded = load(kernel, launch, memory, options)
    used = int(loaded.batch.each) * launch.waves * width
    for state, seen in steps(loaded, memory):
        counters = np.array(state.counters)
        if seen is None:
            break
        row = seen.row
        active = seen.active[:used].reshape(-1, width)
        if ACTIONS["wave_shuffle"] <= row.action <= ACTIONS["wave_reduce_max"]:
            totals["shuffles"] += int(active.any(1).sum())
        if not row.width:
            continue
        places = seen.places[:used].reshape(-1, width)
        is_local = row.memory in (1, 3) or row.action == ACTIONS["load_local"]
        if is_local:
            degrees = conflict_degree(places, active, banks)
            totals["accesses"] += int((degrees > 0).sum())
            totals["passes"] += int(degrees.sum())
            worst = max(worst, int(degrees.max()))
            totals["near"] += int((degrees > 0).sum()) if not row.memory else 0
        else:
            lines = transactions(places, active, row.width)
            totals["bytes"] += 32 * int(lines.sum())
            totals["far"] += int((lines > 0).sum()) if not row.memory else 0
        if row.memory >= 3:
            totals["rounds"] += int(multiplicity(places, active).sum())
    events = events_of(counters, launch)
    per_group, per_wave = 1 / launch.workgroups, 1 / (launch.workgroups * launch.waves)
    return Profile(
        instructions=events.instructions * per_group,
        local_accesses=totals["accesses"] * per_group,
        local_passes=totals["passes"] * per_group,
        bytes=totals["bytes"] * per_group,
        atomic_rounds=totals["rounds"] * per_group,
        barriers=events.barriers * per_group,
        local_loads=totals["near"] * per_wave,
        device_loads=totals["far"] * per_wave,
        shuffles=totals["shuffles"] * per_wave,
        worst_conflict=worst,
        waves=launch.waves,
        wave_width=width,
        events=events,
    )
