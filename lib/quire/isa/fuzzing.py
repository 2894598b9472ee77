"""Conformance: random structured programs, and shrinking to the smallest that still tells.

A program is a tree of statements, drawn by any function ``choose(n)`` that picks a number below n
(a random generator here, a property-testing library in the tests). Programs are well-formed by
construction: they end, race with nobody, and store every register that they use.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from quire.isa.deviations import Deviation
from quire.isa.engines import run
from quire.isa.engines.protocol import Memory
from quire.isa.errors import InstructionLimit
from quire.isa.program import Kernel, Launch
from quire.isa.text.assembler import assemble

Choose = Callable[[int], int]

# r0 thread, r1..r6 work, r7 address, r8 two, r9 zero, r10.. loop counters, r15 bound
WORK = range(1, 7)
CONSTANTS = (
    *(0, 1, 2, 0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 31, 0x12345678),
    *(0x3F800000, 0xBF800000, 0x3F000000, 0x40200000, 0xC0200000, 0x7F800000, 0x80000001),
)
BINARY = (
    *("iadd", "isub", "imul", "imul_hi", "imin", "imax", "idiv", "imod", "and", "or", "xor"),
    *("shl", "shr", "sar", "fadd", "fsub", "fmul", "fdiv", "fmin", "fmax", "hadd2", "bmul"),
)
UNARY = ("ineg", "iabs", "not", "bitcount", "bitfind", "bitrev", "fround", "ffloor", "cvt_f32_i32")
WAVE = ("wave_reduce_add", "wave_reduce_min", "wave_reduce_max", "wave_prefix_sum")
COMPARE = ("icmp_lt", "icmp_eq", "icmp_gt", "ucmp_lt", "fcmp_lt")


@dataclass(frozen=True)
class Statement:
    """One line, or an if or loop with its blocks."""

    text: str
    then: tuple["Statement", ...] = ()
    otherwise: tuple["Statement", ...] = ()
    kind: str = "line"


Program = tuple[Statement, ...]


def draw_program(
    choose: Choose, size: int = 12, lanes_talk: bool = True, leave: bool = True
) -> Program:
    """Return a program of about ``size`` statements.

    ``lanes_talk`` allows wave operations, ``leave`` break and continue.
    """
    return tuple(_draw(choose, size, lanes_talk, leave, 0, False))


def _register(choose: Choose) -> int:
    return WORK[choose(len(WORK))]


def _line(choose: Choose, lanes_talk: bool) -> str:
    to, a, b = (_register(choose) for _ in range(3))
    kind = choose(10)
    if kind == 0:
        return f"mov_imm r{to}, {CONSTANTS[choose(len(CONSTANTS))]}"
    if kind == 1:
        return f"mov r{to}, r0"
    if kind == 2:
        return f"{UNARY[choose(len(UNARY))]} r{to}, r{a}"
    if kind == 3:
        return f"{COMPARE[choose(len(COMPARE))]} p{choose(4)}, r{a}, r{b}"
    if kind == 4:
        return f"select r{to}, p{choose(4)}, r{a}, r{b}"
    if kind == 5:
        return f"@{'!' * choose(2)}p{choose(4)} iadd r{to}, r{a}, r{b}"
    if kind == 6 and lanes_talk:
        return f"{WAVE[choose(len(WAVE))]} r{to}, r{a}"
    if kind == 7:
        return f"fma r{to}, r{a}, r{b}, r{to}"
    return f"{BINARY[choose(len(BINARY))]} r{to}, r{a}, r{b}"


def _draw(
    choose: Choose, size: int, lanes_talk: bool, leave: bool, depth: int, in_loop: bool
) -> Iterator[Statement]:
    while size > 0:
        kind = choose(10)
        if kind == 0 and depth < 3 and size > 3:
            part = 1 + choose(size - 2)
            test = f"{COMPARE[choose(3)]} p{choose(3)}, r{_register(choose)}, r{_register(choose)}"
            flag = test.split()[1].rstrip(",")
            yield Statement(test)
            then = tuple(_draw(choose, part, lanes_talk, leave, depth + 1, in_loop))
            other = tuple(_draw(choose, choose(part + 1), lanes_talk, leave, depth + 1, in_loop))
            yield Statement(f"if {flag}", then, other, "if")
            size -= part + 1
        elif kind == 1 and depth < 3 and size > 3:
            part = 1 + choose(size - 2)
            body = tuple(_draw(choose, part, lanes_talk, leave, depth + 1, True))
            yield Statement(str(1 + choose(4)), body, (), "loop")
            size -= part + 2
        elif kind == 2 and in_loop and leave:
            word = ("break", "continue")[choose(2)]
            number = choose(3)
            # thread numbers against a small constant: some lanes go, some stay
            yield Statement(f"icmp_lt p{number}, r0, r{_register(choose)}")
            yield Statement(f"{word} p{number}")
            size -= 2
        else:
            yield Statement(_line(choose, lanes_talk))
            size -= 1


def source(program: Program) -> str:
    """Return the program as assembly: every thread stores r1 to r6 to places of its own."""
    lines = [".kernel fuzz", ".registers 20", "mov_sr r0, sr_thread_id_x", "mov_imm r8, 2"]
    lines += ["mov_sr r16, sr_workgroup_id_x", "mov_sr r17, sr_workgroup_size_x"]
    lines += ["imad r16, r16, r17, r0", "shl r7, r16, r8", "mov_imm r17, 3"]
    lines += ["imul r18, r7, r17", "shl r18, r18, r17", "device_load_u32 r1, r18"]
    lines += ["mov r2, r0", "mov_imm r3, 3", "mov_imm r4, 0x40200000", "mov_imm r6, 0x80000000"]
    lines += _lines(program, 0)
    lines += ["mov_imm r17, 4"]
    for register in WORK:
        lines += [f"device_store_u32 r18, r{register}", "iadd r18, r18, r17"]
    return "\n".join([*lines, "halt", ".end"]) + "\n"


def _lines(program: Program, depth: int) -> list[str]:
    lines: list[str] = []
    for statement in program:
        if statement.kind == "line":
            lines.append(statement.text)
        elif statement.kind == "if":
            lines += [statement.text, *_lines(statement.then, depth)]
            if statement.otherwise:
                lines += ["else", *_lines(statement.otherwise, depth)]
            lines.append("endif")
        else:
            counter = f"r{10 + depth}"
            lines += [f"mov_imm {counter}, 0", "loop", "mov_imm r15, 1"]
            lines += [f"iadd {counter}, {counter}, r15", f"mov_imm r15, {statement.text}"]
            lines += [f"icmp_gt p3, {counter}, r15", "break p3"]
            lines += [*_lines(statement.then, depth + 1), "endloop"]
    return lines


def kernel_of(program: Program) -> Kernel:
    """Return the assembled kernel of a program."""
    return assemble(source(program)).kernel()


def memory_for(launch: Launch, seed: int = 0) -> Memory:
    """24 words per thread: the first is the thread's random input, the rest room for results."""
    words = np.zeros((launch.workgroups * launch.threads, 24), np.uint32)
    words[:, 0] = np.random.default_rng(seed).integers(0, 2**32, len(words), dtype=np.uint32)
    return words.reshape(-1)


def smaller(program: Program) -> Iterator[Program]:
    """Shrink by one step.

    Yields
    ------
    Program
        one statement gone, or one block in place of its if or loop.
    """
    for index, statement in enumerate(program):
        before, after = program[:index], program[index + 1 :]
        yield before + after
        if statement.kind == "if":
            yield before + statement.then + after
            yield before + statement.otherwise + after
        for block in smaller(statement.then):
            yield (*before, replace(statement, then=block), *after)
        for block in smaller(statement.otherwise):
            yield (*before, replace(statement, otherwise=block), *after)


def shrink(program: Program, still: Callable[[Program], bool], tries: int = 400) -> Program:
    """Return the smallest program found for which ``still`` holds, within ``tries`` attempts."""
    shrunk = True
    while shrunk:
        shrunk = False
        for candidate in smaller(program):
            tries -= 1
            if tries < 0:
                return program
            if still(candidate):
                program, shrunk = candidate, True
                break
    return program


@dataclass(frozen=True)
class Finding:
    """A program on which two machines differ, before and after shrinking."""

    deviation: Deviation
    programs: int  # drawn until it was found
    program: Program
    first_size: int
    size: int

    @property
    def source(self) -> str:
        """The shrunk program as assembly."""
        return source(self.program)


def size_of(program: Program) -> int:
    """Statements of a program, blocks included."""
    return sum(1 + size_of(s.then) + size_of(s.otherwise) for s in program)


def differs(
    program: Program, deviation: Deviation, launch: Launch, limit: int = 3000, lanes: int = 1024
) -> bool:
    """Whether a program's memory depends on a deviation; a run that does not end counts."""
    try:
        kernel = kernel_of(program)
    except ValueError:  # shrinking took a loop away from around its break
        return False
    memory = memory_for(launch)
    try:
        plain = run(kernel, launch, memory, limit=limit, lanes=lanes).memory
    except InstructionLimit:
        return False
    try:
        other = run(kernel, launch, memory, compat=deviation, limit=limit, lanes=lanes).memory
    except InstructionLimit:
        return True
    return not np.array_equal(plain, other)


def hunt(
    deviation: Deviation, seed: int, programs: int = 2000, launch: Launch | None = None
) -> Finding | None:
    """Draw programs until one shows a deviation, and shrink it; None if none of them does."""
    launch = launch or Launch(workgroup=(16, 1, 1), wave_width=8)
    generator = np.random.default_rng(seed)

    def choose(count: int) -> int:
        return int(generator.integers(count))

    for number in range(1, programs + 1):
        program = draw_program(choose, 16)
        if differs(program, deviation, launch):
            small = shrink(program, lambda p: differs(p, deviation, launch))
            return Finding(deviation, number, small, size_of(program), size_of(small))
    return None
