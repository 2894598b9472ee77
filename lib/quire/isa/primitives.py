"""The ten hardware-invariant primitives and the shuffle, each with a program that needs it.

The list is the paper's (third-party notes; the eleventh was added after its benchmark). Every row
has a program and the words that it must leave on every engine, and, where taking the primitive away
still leaves a program, the same program without it, which must leave others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import UInt32

from quire.isa.engines import ENGINES, run
from quire.isa.engines.protocol import Outcome, Schedule
from quire.isa.program import Launch
from quire.isa.text.assembler import assemble

_LANES = 1024
_WORDS = 256
_LAUNCH = Launch(workgroup=(32, 1, 1), wave_width=8)  # four waves of eight lanes
_THREADS = np.arange(32)
_ADVERSARY = Schedule("random", seed=1)


@dataclass(frozen=True)
class Primitive:
    """One primitive.

    Attributes
    ----------
    number, name
        as the paper lists it
    says
        what the program shows, in words
    body
        instructions after the head, which leaves the thread in r0 and 4 * thread in r1
    wanted
        what the first 32 words of device memory must be
    without
        the same program without the primitive, if there is one
    counts
        counters of the mask stack that the primitive fixes
    """

    number: int
    name: str
    says: str
    body: str
    wanted: tuple[int, ...]
    without: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)

    def source(self, body: str | None = None) -> str:
        """Return the whole program as assembly."""
        head = ".kernel primitive\n.registers 16\n.local_memory 256\nmov_sr r0, sr_thread_id_x\n"
        head += "mov_imm r2, 2\nshl r1, r0, r2\nmov_imm r3, 1\n"
        return f"{head}{self.body if body is None else body}\nhalt\n.end\n"


@dataclass(frozen=True)
class Shown:
    """What one primitive's programs did: on how many engines it held, whether it was needed."""

    number: int
    primitive: str
    shows: str
    engines: int
    holds: int
    needed: str


def _ints(values: np.ndarray) -> tuple[int, ...]:
    return tuple(int(v) for v in values)


def _memory() -> UInt32[np.ndarray, " words"]:
    return np.zeros(_WORDS, np.uint32)


_STORE = "device_store_u32 r1, r4"
_ODD = "and r5, r0, r3\nicmp_eq p1, r5, r3"
_SWAP = "mov_imm r5, 124\nisub r5, r5, r1\nlocal_load_u32 r4, r5"  # of thread 31 - t

PRIMITIVES = (
    Primitive(
        *(1, "lockstep thread groups", "eight lanes share each of a wave's seven instructions"),
        f"iadd r4, r0, r3\n{_STORE}",
        _ints(_THREADS + 1),
        counts={"instructions": 4 * 7},
    ),
    Primitive(
        *(2, "mask-based divergence", "odd lanes take one side of an if, even lanes the other"),
        f"{_ODD}\nif p1\nmov_imm r4, 7\nelse\nmov_imm r4, 9\nendif\n{_STORE}",
        _ints(np.where(_THREADS % 2, 7, 9)),
        without=f"{_ODD}\nmov_imm r4, 7\nmov_imm r4, 9\n{_STORE}",
        counts={"divergent_branches": 4},
    ),
    Primitive(
        *(3, "register and occupancy trade-off", "a register is private to its thread"),
        f"imul r4, r0, r0\n{_STORE}",
        _ints(_THREADS**2),
    ),
    Primitive(
        *(4, "programmer-managed scratchpad", "threads of different waves swap words"),
        f"local_store_u32 r1, r0\nbarrier\n{_SWAP}\n{_STORE}",
        _ints(31 - _THREADS),
        without=f"mov r4, r0\n{_STORE}",
    ),
    Primitive(
        *(5, "resident waves in any order", "changing waves between steps costs no instruction"),
        f"iadd r4, r0, r0\niadd r4, r4, r0\n{_STORE}",
        _ints(3 * _THREADS),
        counts={"instructions": 4 * 8},
    ),
    Primitive(
        *(6, "hierarchical memory", "a word goes from a register to local to device memory"),
        f"local_store_u32 r1, r0\nlocal_load_u32 r4, r1\n{_STORE}",
        _ints(_THREADS),
        without=f"local_load_u32 r4, r1\n{_STORE}",
    ),
    Primitive(
        *(7, "atomic read-modify-write", "32 threads add one to one word"),
        "mov_imm r5, 0\natomic_add r5, r3, device",
        (32, *[0] * 31),
        without=("mov_imm r5, 0\ndevice_load_u32 r6, r5\niadd r6, r6, r3\ndevice_store_u32 r5, r6"),
        counts={"atomic_lanes": 32},
    ),
    Primitive(
        *(8, "workgroup barriers", "a wave sees what another wrote before the barrier"),
        f"local_store_u32 r1, r0\nbarrier\n{_SWAP}\n{_STORE}",
        _ints(31 - _THREADS),
        without=f"local_store_u32 r1, r0\n{_SWAP}\n{_STORE}",
        counts={"barriers": 1},
    ),
    Primitive(
        *(9, "identity registers", "wave, width and lane add up to the thread"),
        "mov_sr r5, sr_wave_id\nmov_sr r6, sr_wave_width\nmov_sr r7, sr_lane_id\n"
        f"imad r4, r5, r6, r7\n{_STORE}",
        _ints(_THREADS),
        without=f"mov r4, r3\n{_STORE}",
    ),
    Primitive(
        *(10, "asynchronous memory", "a load, a wait, a fence; here every load is in order"),
        "device_store_u32 r1, r0\nfence_release device\ndevice_load_u32 r4, r1\nwait\n"
        f"fence_acquire device\n{_STORE}",
        _ints(_THREADS),
    ),
    Primitive(
        *(11, "shuffle within a wave", "eight lanes sum up without local memory or a barrier"),
        "mov r4, r0\n"
        + "".join(
            f"mov_imm r5, {span}\nwave_shuffle_xor r6, r4, r5\niadd r4, r4, r6\n"
            for span in (4, 2, 1)
        )
        + _STORE,
        _ints(_THREADS.reshape(4, 8).sum(1).repeat(8)),
        without=f"mov r4, r0\n{_STORE}",
        counts={"barriers": 0, "wave": 12},
    ),
)


def _leaves(outcome: Outcome, primitive: Primitive) -> bool:
    return outcome.memory[:32].tolist() == list(primitive.wanted)


def holds(primitive: Primitive, engine: str) -> bool:
    """Run a primitive's program on an engine and compare memory, and counters where counted.

    Where an engine can schedule waves, an adversarial schedule must leave the same memory.
    """
    kernel = assemble(primitive.source()).kernel()
    outcome = run(kernel, _LAUNCH, _memory(), engine=engine, lanes=_LANES)
    good = _leaves(outcome, primitive)
    if "schedule" in ENGINES[engine].honours:
        other = run(*(kernel, _LAUNCH, _memory()), engine=engine, schedule=_ADVERSARY, lanes=_LANES)
        good &= _leaves(other, primitive)
    if engine == "mask stack":
        counts = {name: getattr(outcome.events, name) for name in primitive.counts}
        good &= counts == dict(primitive.counts)
        good &= other.events.instructions == outcome.events.instructions
    return good


def needed(primitive: Primitive) -> bool:
    """Run the program without the primitive, under the adversarial schedule: it must go wrong.

    Raises
    ------
    ValueError
        taking the primitive away leaves no program.
    """
    if primitive.without is None:
        raise ValueError(f"primitive = {primitive.number}: one with a program without it")
    kernel = assemble(primitive.source(primitive.without)).kernel()
    outcome = run(kernel, _LAUNCH, _memory(), schedule=_ADVERSARY, lanes=_LANES)
    return not _leaves(outcome, primitive)


def shown(engines: list[str]) -> list[Shown]:
    """Run all eleven on some engines, and those that can be taken away without."""
    return [
        Shown(
            number=primitive.number,
            primitive=primitive.name,
            shows=primitive.says,
            engines=len(engines),
            holds=sum(holds(primitive, engine) for engine in engines),
            needed=(
                "cannot be taken away"
                if primitive.without is None
                else "yes"
                if needed(primitive)
                else "no"
            ),
        )
        for primitive in PRIMITIVES
    ]
