"""A run step by step: what a stepper shows, and what the cost model counts.

Both drive the interpreter one step at a time; the compiled engine is the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int32, UInt8, UInt32

from quire.isa.banks import conflict_degree, multiplicity, transactions
from quire.isa.deviations import Deviation
from quire.isa.engines import control, interpreter
from quire.isa.engines.microcode import ACTIONS, Micro
from quire.isa.machine import (
    LOCKSTEP,
    STEP_LIMIT,
    Events,
    Loaded,
    Memory,
    Schedule,
    events_of,
    load,
)
from quire.isa.program import Kernel, Launch


@dataclass(frozen=True)
class Recording:
    """One wave of one run as arrays; entry 0 is the state before the first step.

    ``instruction`` is the index of the instruction that led to a state (-1 at first), ``active``
    the lanes that ran it, ``alive`` those that have not halted, ``masks[:, d]`` the lanes inside of
    the block that opened at depth d (all lanes that come back at its end), ``waiting`` and
    ``halted`` the waves of the workgroup at the barrier and at their end, ``barriers`` how many
    barriers the wave has passed.
    """

    instruction: Int32[np.ndarray, " steps"]
    active: Bool[np.ndarray, "steps lanes"]
    alive: Bool[np.ndarray, "steps lanes"]
    masks: Bool[np.ndarray, "steps depth lanes"]
    registers: UInt32[np.ndarray, "steps registers lanes"]
    flags: Bool[np.ndarray, "steps predicates lanes"]
    local: UInt32[np.ndarray, "steps words"]
    waiting: Int32[np.ndarray, " steps"]
    halted: Int32[np.ndarray, " steps"]
    barriers: Int32[np.ndarray, " steps"]


def stack_masks(sleep: UInt8[np.ndarray, " lanes"], depth: int) -> Bool[np.ndarray, "depth lanes"]:
    """The mask stack that the lanes' sleep counters stand for.

    Row d holds the lanes that belong to the block at depth d or deeper: those that are awake or
    sleep on an end at depth d or deeper.
    """
    levels = np.arange(depth)[:, None]
    return ((sleep[None] == 0) | (sleep[None] // 8 >= levels)) & (sleep[None] != control.DEAD)


@dataclass(frozen=True)
class Seen:
    """One step about to be taken: the micro-operation, its lanes, and their byte addresses."""

    row: Micro
    active: Bool[np.ndarray, " lanes"]
    places: UInt32[np.ndarray, " lanes"]


def _steps(loaded: Loaded, memory: Memory) -> Iterator[tuple[interpreter.State, Seen | None]]:
    """The state before each step with what comes next, and the last state with nothing.

    Each state is used up by the one after it.
    """
    state = loaded.begin(loaded.hold(memory))
    registers = loaded.shape.registers
    for step in range(1, loaded.limit + 1):
        row, active, base = interpreter.peek(state, loaded.program, loaded.batch, registers)
        micro = loaded.rows[min(int(row), len(loaded.rows) - 1)]
        offset = 0 if micro.memory >= 3 else micro.imm
        places = (np.asarray(base) + np.uint32(offset)).astype(np.uint32)
        ready = (np.asarray(state.status) == control.READY).any()
        if not ready or int(state.error[0]):
            break
        yield state, Seen(micro, np.array(active), places)
        state = loaded.advance(state, step)
    loaded.finish(state)
    yield state, None


def record(
    kernel: Kernel,
    launch: Launch,
    memory: Memory,
    *,
    wave: int = 0,
    depth: int = 4,
    schedule: Schedule = LOCKSTEP,
    compat: Deviation | str | None = None,
    skip: bool = False,
    limit: int = 4096,
    lanes: int = 4096,
) -> Recording:
    """Record wave ``wave`` of the first workgroup, step by step.

    ``depth`` is how many levels of the mask stack to keep. Raises what `quire.isa.machine.run`
    raises.
    """
    if not 0 <= wave < launch.waves:
        raise ValueError(f"wave={wave}: a workgroup has waves 0 to {launch.waves - 1}")
    width, groups = launch.wave_width, launch.waves * launch.wave_width // 8
    own = slice(wave * width, (wave + 1) * width)
    options = {"schedule": schedule, "compat": compat, "skip": skip}
    loaded = load(kernel, launch, memory.size, limit=limit, lanes=lanes, **options)
    words, flags = int(loaded.batch.local_words), loaded.shape.registers
    ran, active = -1, np.zeros(width, bool)
    kept: list[tuple[Any, ...]] = []
    for state, seen in _steps(loaded, memory):
        if int(state.first):  # the first workgroup is done
            break
        sleep = np.array(state.sleep)[own]
        status = np.array(state.status)[: groups : width // 8]
        file = np.array(state.file)[:, own]
        kept.append(
            (
                np.int32(ran),
                active,
                sleep != control.DEAD,
                stack_masks(sleep, depth),
                file[: kernel.registers],
                file[flags : flags + 4] != 0,
                np.array(state.local)[:words],
                np.int32((status == control.WAITING).sum()),
                np.int32((status == control.HALTED).sum()),
                np.array(state.span)[wave * width // 8],
            )
        )
        if seen is None:
            break
        ran, active = seen.row.index, seen.active[own]
    return Recording(*(np.stack(column) for column in zip(*kept, strict=True)))


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
    limit: int = STEP_LIMIT,
    lanes: int = 4096,
) -> Profile:
    """Run a launch step by step and look at every address (skips nothing, as the reference)."""
    width = launch.wave_width
    totals = dict.fromkeys(("accesses", "passes", "bytes", "rounds", "near", "far", "shuffles"), 0)
    worst, counters = 0, np.zeros(control.COUNTERS, np.int64)
    loaded = load(kernel, launch, memory.size, limit=limit, lanes=lanes)
    used = int(loaded.batch.each) * launch.waves * width
    for state, seen in _steps(loaded, memory):
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
