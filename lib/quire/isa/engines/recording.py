"""A run step by step: what a stepper shows.

The interpreter is driven one step at a time; the compiled engine is the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int32, UInt8, UInt32

from quire.isa.engines.array import control, interpreter
from quire.isa.engines.array.machine import Loaded, load
from quire.isa.engines.array.microcode import Micro
from quire.isa.engines.protocol import Memory, RunOptions
from quire.isa.program import Kernel, Launch

SHORT = RunOptions(limit=4096)


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
    """Return the mask stack that the lanes' sleep counters stand for.

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


def steps(loaded: Loaded, memory: Memory) -> Iterator[tuple[interpreter.State, Seen | None]]:
    """Yield the state before each step with what comes next, and the last state with nothing.

    Yields
    ------
    tuple
        a state, used up by the one after it, and the step about to be taken.
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
    options: RunOptions = SHORT,
) -> Recording:
    """Record wave ``wave`` of the first workgroup, step by step.

    ``depth`` is how many levels of the mask stack to keep. Raises what the mask stack raises.

    Raises
    ------
    ValueError
        the workgroup has no such wave.
    """
    if not 0 <= wave < launch.waves:
        raise ValueError(f"wave = {wave}: a workgroup has waves 0 to {launch.waves - 1}")
    width, groups = launch.wave_width, launch.waves * launch.wave_width // 8
    own = slice(wave * width, (wave + 1) * width)
    loaded = load(kernel, launch, memory, options)
    words, flags = int(loaded.batch.local_words), loaded.shape.registers
    ran, active = -1, np.zeros(width, bool)
    kept: list[tuple[Any, ...]] = []
    for state, seen in steps(loaded, memory):
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
