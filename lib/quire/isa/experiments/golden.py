"""Against the authors' toolchain: code, memory and counters of the golden programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import UInt32

from quire.isa.deviations import REFERENCE, Deviation
from quire.isa.engines import run
from quire.isa.errors import InstructionLimit
from quire.isa.program import Kernel, Launch
from quire.isa.text.assembler import assemble
from quire.isa.text.container import write_wbin

LANES = 1024  # one compiled interpreter serves every untimed run


@dataclass(frozen=True)
class Golden:
    """One program that the authors' toolchain assembled and ran."""

    name: str
    source: str
    wbin: str
    kernel: Kernel
    launch: Launch
    before: UInt32[np.ndarray, " words"]
    after: UInt32[np.ndarray, " words"]
    counters: Mapping[str, int]

    @property
    def touches_deviations(self) -> bool:
        """Whether the program is one of those written to touch a deviation of values."""
        return self.name.startswith(("waveops", "alu"))


def words(text: str) -> UInt32[np.ndarray, " words"]:
    """Return the words of a memory image in hexadecimal."""
    return np.frombuffer(bytes.fromhex(text), "<u4")


def read_golden(entries: Sequence[Mapping[str, Any]]) -> tuple[Golden, ...]:
    """Return the golden programs of `wave_golden.json`."""
    return tuple(
        Golden(
            name=entry["name"],
            source=entry["source"],
            wbin=entry["wbin_hex"],
            kernel=assemble(entry["source"]).kernel(),
            launch=Launch(
                *(tuple(entry["grid"]), tuple(entry["workgroup"])),
                *(entry["wave_width"], entry["local_memory"]),
            ),
            before=words(entry["mem_in_hex"]),
            after=words(entry["mem_out_hex"]),
            counters=entry["stats"],
        )
        for entry in entries
    )


def different_containers(sources: Sequence[tuple[str, str]]) -> int:
    """Count the sources whose container differs from the authors' (hexadecimal)."""
    return sum(write_wbin(assemble(source)).hex() != wbin for source, wbin in sources)


@dataclass(frozen=True)
class Replay:
    """One golden program on our mask stack: words and counters that differ from the reference."""

    program: str
    width: int
    words: int
    counters: int
    words_switched: int
    expected: bool


def replay(programs: Sequence[Golden]) -> tuple[Replay, ...]:
    """Run every program as specified and with the reference's deviations switched on."""
    rows = []
    for program in programs:
        plain = run(program.kernel, program.launch, program.before, lanes=LANES)
        switched = run(
            *(program.kernel, program.launch, program.before), compat=REFERENCE, lanes=LANES
        )
        ours = plain.events.reference()
        rows.append(
            Replay(
                program=program.name,
                width=program.launch.wave_width,
                words=int((plain.memory != program.after).sum()),
                counters=sum(ours[name] != count for name, count in program.counters.items()),
                words_switched=int((switched.memory != program.after).sum()),
                expected=not program.touches_deviations,
            )
        )
    return tuple(rows)


@dataclass(frozen=True)
class Everywhere:
    """One golden program on one engine: at its own width against the reference, and at others."""

    program: str
    engine: str
    wrong: int
    runs: int


def everywhere(
    programs: Sequence[Golden],
    widths: Sequence[int],
    engines: Sequence[str],
    compiled: Sequence[int] | None = None,
) -> tuple[Everywhere, ...]:
    """Run every program on every engine at every width, and at its own.

    At its own width the memory must be the reference's (with its deviations of values on); at other
    widths it must be the mask stack's. The execution masks, which take seconds to compile, run at
    the widths ``compiled`` and at the program's own (all ``widths`` by default).
    """
    rows = []
    for program in programs:
        wanted = {}
        for width in {*widths, *(compiled or ()), program.launch.wave_width}:
            launch = replace(program.launch, wave_width=width)
            wanted[width] = run(
                *(program.kernel, launch, program.before), compat=REFERENCE, lanes=LANES
            ).memory
        own = np.array_equal(wanted[program.launch.wave_width], program.after)
        for engine in engines:
            wrong = 0 if engine != "mask stack" or own else 1
            few = compiled is not None and engine == "execution masks"
            chosen = {*((compiled or ()) if few else widths), program.launch.wave_width}
            for width in sorted(chosen):
                launch = replace(program.launch, wave_width=width)
                got = run(
                    *(program.kernel, launch, program.before),
                    engine=engine,
                    compat=REFERENCE,
                    lanes=LANES,
                )
                wrong += not np.array_equal(got.memory, wanted[width])
            rows.append(Everywhere(program.name, engine, wrong, len(chosen)))
    return tuple(rows)


def separate_rounding(program: Golden, size: int = 32) -> int:
    """Count the words that a tiled product gets wrong if product and sum round separately."""
    inputs = program.before.view(np.float32)
    a, b = inputs[: 2 * size * size].reshape(2, size, size)
    total = np.zeros((size, size), np.float32)
    for k in range(size):  # the kernel's order
        total = total + a[:, k : k + 1] * b[k : k + 1]
    image = program.after[2 * size * size : 3 * size * size]
    return int((total.view(np.uint32).reshape(-1) != image).sum())


@dataclass(frozen=True)
class Stated:
    """One program on which the reference leaves its specification: first eight words, thrice."""

    program: str
    specified: str
    ours: str
    reference: str
    switched: str

    @property
    def agrees(self) -> bool:
        """Whether ours is as specified, and as the reference once its switch is on."""
        return self.ours == self.specified and self.switched == self.reference


_SWITCHES = (
    Deviation.BREAK_IN_IF,
    Deviation.CONTINUE,
    Deviation.PREDICATE_ZERO,
    Deviation.NONE,
)


def control_deviations(entries: Sequence[Mapping[str, Any]]) -> tuple[Stated, ...]:
    """Run the stated programs with and without the switch of their deviation."""
    return tuple(
        Stated(
            program=entry["note"].split(":")[0],
            specified=str(entry["expected_by_spec"]),
            ours=_first_eight(entry, Deviation.NONE),
            reference=(
                "never ends"
                if isinstance(entry["reference_emulator"], str)
                else str(entry["reference_emulator"])
            ),
            switched=_first_eight(entry, switch),
        )
        for entry, switch in zip(entries, _SWITCHES, strict=True)
    )


def _first_eight(entry: Mapping[str, Any], switch: Deviation) -> str:
    launch = Launch(workgroup=tuple(entry["workgroup"]), wave_width=entry["wave_width"])
    kernel, memory = assemble(entry["source"]).kernel(), np.zeros(64, np.uint32)
    try:
        outcome = run(kernel, launch, memory, compat=switch, limit=2000, lanes=LANES)
    except InstructionLimit:
        return "never ends"
    return str(outcome.memory[:8].tolist())


def value_deviations(program: Golden, note: str) -> dict[str, int]:
    """Count the words in which the reference's arithmetic leaves the specification, by name."""
    names = [op.split()[0] for op in note.split("ops=")[1].split("|")]
    image = program.after[1024:].reshape(-1, 256)[: len(names)]
    memory = run(program.kernel, program.launch, program.before, lanes=LANES).memory
    ours = memory[1024:].reshape(-1, 256)[: len(names)]
    return dict(zip(names, map(int, (image != ours).sum(1)), strict=True))
