"""The ten hardware-invariant primitives and the shuffle, each with a program that uses it.

The list is the paper's (third-party notes; the eleventh was added after its benchmark). Every row
has a program and the words that it must leave on every engine. Five have a second program, which
tries the same task by other means: whether it leaves the same words tells if the primitive can be
replaced, on a machine whose speed does not count.
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
    instead
        the same task by other means, if we know any
    means
        these means, in words
    counts
        counters of the mask stack that the primitive fixes
    """

    number: int
    name: str
    says: str
    body: str
    wanted: tuple[int, ...]
    instead: str | None = None
    means: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)

    def source(self, body: str | None = None) -> str:
        """Return the whole program as assembly."""
        head = ".kernel primitive\n.registers 16\n.local_memory 256\nmov_sr r0, sr_thread_id_x\n"
        head += "mov_imm r2, 2\nshl r1, r0, r2\nmov_imm r3, 1\n"
        return f"{head}{self.body if body is None else body}\nhalt\n.end\n"


@dataclass(frozen=True)
class Shown:
    """What one primitive's programs did: on how many engines it held, and how it went without.

    ``needed`` is None where nothing was tried in its place.
    """

    number: int
    primitive: str
    shows: str
    engines: int
    holds: int
    without: str
    needed: bool | None


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
        instead=f"{_ODD}\nmov_imm r6, 7\nmov_imm r7, 9\nselect r4, p1, r6, r7\n{_STORE}",
        means="a select",
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
        instead=f"mov_imm r6, 512\niadd r7, r6, r1\ndevice_store_u32 r7, r0\nbarrier\n"
        f"mov_imm r5, 124\nisub r5, r5, r1\niadd r5, r5, r6\ndevice_load_u32 r4, r5\n{_STORE}",
        means="device memory",
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
    ),
    Primitive(
        *(7, "atomic read-modify-write", "32 threads add one to one word"),
        "mov_imm r5, 0\natomic_add r5, r3, device",
        (32, *[0] * 31),
        instead="mov_imm r5, 0\ndevice_load_u32 r6, r5\niadd r6, r6, r3\ndevice_store_u32 r5, r6",
        means="load, add, store",
        counts={"atomic_lanes": 32},
    ),
    Primitive(
        *(8, "workgroup barriers", "a wave sees what another wrote before the barrier"),
        f"local_store_u32 r1, r0\nbarrier\n{_SWAP}\n{_STORE}",
        _ints(31 - _THREADS),
        instead=f"local_store_u32 r1, r0\n{_SWAP}\n{_STORE}",
        means="no barrier",
        counts={"barriers": 1},
    ),
    Primitive(
        *(9, "identity registers", "wave, width and lane add up to the thread"),
        "mov_sr r5, sr_wave_id\nmov_sr r6, sr_wave_width\nmov_sr r7, sr_lane_id\n"
        f"imad r4, r5, r6, r7\n{_STORE}",
        _ints(_THREADS),
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
        instead="local_store_u32 r1, r0\nbarrier\nmov_imm r5, 96\nand r5, r1, r5\nmov_imm r4, 0\n"
        + "mov_imm r7, 4\n"
        + 8 * "local_load_u32 r6, r5\niadd r4, r4, r6\niadd r5, r5, r7\n"
        + _STORE,
        means="local memory",
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


def needed(primitive: Primitive) -> bool | None:
    """Run the task by other means, under the adversarial schedule: whether it goes wrong.

    None where no other means are known.
    """
    if primitive.instead is None:
        return None
    kernel = assemble(primitive.source(primitive.instead)).kernel()
    outcome = run(kernel, _LAUNCH, _memory(), schedule=_ADVERSARY, lanes=_LANES)
    return not _leaves(outcome, primitive)


def shown(engines: list[str]) -> list[Shown]:
    """Run all eleven on some engines, and those that may be replaced by other means."""
    table = []
    for primitive in PRIMITIVES:
        without = needed(primitive)
        table.append(
            Shown(
                number=primitive.number,
                primitive=primitive.name,
                shows=primitive.says,
                engines=len(engines),
                holds=sum(holds(primitive, engine) for engine in engines),
                without=(
                    "not tried"
                    if without is None
                    else f"{primitive.means}: {'other' if without else 'the same'} words"
                ),
                needed=without,
            )
        )
    return table
