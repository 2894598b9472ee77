"""Micro-operations: what the array engines fetch, as one integer matrix.

An instruction becomes one row, except for those that fill several registers: they are cracked into
rows that write one register each, through a scratch register where source and destination overlap.
All programs have the same column layout, so that one compiled engine serves them all.
"""

import enum
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int32

from quire.isa.deviations import Deviation
from quire.isa.program import Instruction, Kernel
from quire.isa.structure import Structure, analyse
from quire.isa.table import ROWS, Kind, Operation

SCRATCH = -1  # the last register row, which no program can name
TRUE = 4  # predicate row that always holds
NOWHERE = 5  # no predicate is written
MASKS = 6  # first predicate row that an engine may use for its own masks
PREDICATES = (24, 112)  # sizes of the predicate file: for five levels of masks, and for all 32


class Control(enum.IntEnum):
    """How a micro-operation changes masks and program counters."""

    NONE = 0
    IF = 1
    ELSE = 2
    ENDIF = 3
    LOOP = 4
    BREAK = 5
    CONTINUE = 6
    ENDLOOP = 7
    CALL = 8
    RETURN = 9
    HALT = 10
    BARRIER = 11
    JUMP_IF_ANY = 12  # back to the target while a lane of the wave has the source predicate
    BREAK_LATE = 13  # as the reference: the lane is back at endif and goes at endloop
    ENDLOOP_LATE = 14
    CONTINUE_BACK = 15  # as the reference: the whole wave goes back


class Plain(enum.IntEnum):
    """When a micro-operation may run in a sprint, that is without a look at masks and counters."""

    NEVER = 0
    ALWAYS = 1
    LOAD = 2  # unless races are watched for
    TEST = 3  # if, break, continue and loop: if its waves have lanes (and all decide alike)
    ENDIF = 4  # if no lane sleeps
    ENDLOOP = 5  # if every wave goes round again
    BARRIER = 6  # if all waves come together


class Memory(enum.IntEnum):
    """What a micro-operation changes in memory."""

    NONE = 0
    STORE_LOCAL = 1
    STORE_DEVICE = 2
    ATOMIC_LOCAL = 3
    ATOMIC_DEVICE = 4


# The branches of the datapath: every row of the table with a lane function, then the others.
LANE_ROWS: tuple[Operation, ...] = tuple(row for row in ROWS if row.apply is not None)
EXTRA = (
    *("nothing", "immediate", "special", "load_local", "load_device", "store"),
    *(row.mnemonic for row in ROWS if row.kind is Kind.WAVE),
    *("mask_and", "mask_and_not", "all_of", "none_of", "everyone"),
)
ACTIONS: dict[str, int] = {
    name: index for index, name in enumerate([*(row.mnemonic for row in LANE_ROWS), *EXTRA])
}
_DOUBLE = "dadd dsub dmul ddiv dma dsqrt cvt_f32_f64 cvt_f64_f32"
_HALF = (
    "hadd hsub hmul hma hmul2 hma2 badd bsub badd2 bmul2 bma bma2"
    " cvt_bf16_f32 cvt_f16_f32 cvt_f32_bf16 cvt_f32_f16"
)
_SPECIAL = "frcp frsqrt fsqrt fsin fcos fexp2 flog2 ffract"
SELDOM = frozenset(" ".join((_DOUBLE, _HALF, _SPECIAL)).split())
"""Operations that take two fifths of an engine's compilation and that few kernels use.

An engine is compiled with them only for kernels that have one: double and half precision, and the
special functions.
"""


@dataclass(frozen=True)
class Micro:
    """One micro-operation; the fields are the columns of the matrix.

    ``a`` to ``d`` are register rows, ``to`` the register row written, ``flag_to`` the predicate row
    that is written instead, ``flag`` and ``second`` predicate rows that are read, ``half`` picks
    the high word of a pair's result, ``jump`` the row to go to when no lane is left, ``event`` the
    class that is counted (-1: not counted).
    """

    action: int = ACTIONS["nothing"]
    a: int = 0
    b: int = 0
    c: int = 0
    d: int = 0
    to: int = SCRATCH
    flag_to: int = NOWHERE
    flag: int = TRUE
    second: int = TRUE
    guard: int = TRUE
    negate: int = 0
    imm: int = 0
    half: int = 0
    control: int = 0
    target: int = 0
    jump: int = 0
    depth: int = 0
    loop_depth: int = -1
    if_depth: int = -1
    memory: int = 0
    width: int = 0
    old: int = 0  # whether an atomic gives the old word back
    event: int = -1
    index: int = 0


# the columns of the matrix: the fields, then what is made of them
_MADE = ("dest", "plain")
COLUMNS: dict[str, int] = {name: i for i, name in enumerate([*Micro.__dataclass_fields__, *_MADE])}


def predicate_rows(rows: list[Micro]) -> int:
    """Return the smaller of the two sizes of the predicate file that holds a program's masks."""
    highest = max(max(row.flag, row.flag_to, row.guard, row.second) for row in rows)
    return next(size for size in PREDICATES if highest < size)


def seldom(rows: list[Micro]) -> bool:
    """Whether a program has one of the operations in `SELDOM`."""
    return any(row.action in _SELDOM_ACTIONS for row in rows)


_SELDOM_ACTIONS = frozenset(ACTIONS[name] for name in SELDOM)


def matrix(rows: list[Micro], length: int, registers: int) -> Int32[np.ndarray, "rows columns"]:
    """Return the rows as a matrix, padded with halts to ``length``.

    ``registers`` is the number of register rows, the last of them the scratch register; predicates
    follow them in one file. ``dest`` is the row that is written, ``plain`` a `Plain`.
    """
    fields = list(Micro.__dataclass_fields__)
    table = np.array([[getattr(row, name) for name in fields] for row in [*rows, _HALT]], np.int64)
    plain = [_plain(row) for row in [*rows, _HALT]]
    for name in ("a", "to"):
        column = table[:, COLUMNS[name]]
        column[column == SCRATCH] = registers - 1
    for name in ("flag", "second", "guard", "flag_to"):
        table[:, COLUMNS[name]] += registers
    to, flag_to = table[:, COLUMNS["to"]], table[:, COLUMNS["flag_to"]]
    dest = np.where(flag_to == registers + NOWHERE, to, flag_to)
    table = np.column_stack([table, dest, plain])
    table = np.concatenate([table, np.tile(table[-1:], (length - len(rows) - 1, 1))])
    return table.astype(np.uint32).view(np.int32)


_HALT = Micro(control=int(Control.HALT))


_SPRINTS = {
    **{Control.IF: Plain.TEST, Control.BREAK: Plain.TEST, Control.CONTINUE: Plain.TEST},
    **{Control.LOOP: Plain.TEST, Control.ENDIF: Plain.ENDIF, Control.ENDLOOP: Plain.ENDLOOP},
    Control.BARRIER: Plain.BARRIER,
}


def _plain(row: Micro) -> int:
    if row.control:
        return int(_SPRINTS.get(Control(row.control), Plain.NEVER))
    if row.memory:
        return int(Plain.NEVER)
    return int(Plain.LOAD if row.width else Plain.ALWAYS)


def crack(instruction: Instruction, index: int, deviation: Deviation) -> list[Micro]:
    """Return the micro-operations of one instruction, without its place in the control structure.

    ``deviation`` matters for the guard ``@p0`` alone.
    """
    operation = instruction.operation
    guard = instruction.guard
    if guard is not None and guard.register == 0 and not guard.negated:
        guard = None if deviation & Deviation.PREDICATE_ZERO else guard
    base = Micro(
        a=instruction.rs1,
        b=instruction.rs2,
        c=instruction.rs3,
        d=instruction.rs4,
        to=instruction.rd,
        imm=instruction.imm,
        guard=TRUE if guard is None else guard.register,
        negate=0 if guard is None else int(guard.negated),
        event=int(operation.event),
        index=index,
    )
    return _CRACKERS[operation.kind](base, operation)


def _word(base: Micro, operation: Operation) -> list[Micro]:
    return [replace(base, action=ACTIONS[operation.mnemonic])]


def _flag(base: Micro, operation: Operation) -> list[Micro]:
    return [replace(base, action=ACTIONS[operation.mnemonic], to=SCRATCH, flag_to=base.to)]


def _select(base: Micro, operation: Operation) -> list[Micro]:
    return [replace(base, action=ACTIONS["select"], flag=base.a, a=base.b, b=base.c)]


def _pair(base: Micro, operation: Operation) -> list[Micro]:
    action = ACTIONS[operation.mnemonic]
    quiet = replace(base, action=action, event=-1)
    return [
        replace(quiet, to=SCRATCH),
        replace(quiet, to=base.to + 1, half=1),
        replace(base, action=ACTIONS["mov"], a=SCRATCH),
    ]


def _load(base: Micro, operation: Operation) -> list[Micro]:
    space = "load_local" if operation.is_local else "load_device"
    width = min(operation.bytes_moved, 4)
    base = replace(base, action=ACTIONS[space], width=width)
    words = max(operation.bytes_moved // 4, 1)
    # the word that overwrites the address comes last
    order = sorted(range(words), key=lambda k: base.to + k == base.a)
    rows = [replace(base, to=base.to + k, imm=4 * k, event=-1) for k in order]
    return [*rows[:-1], replace(rows[-1], event=base.event)]


def _store(base: Micro, operation: Operation) -> list[Micro]:
    memory = Memory.STORE_LOCAL if operation.is_local else Memory.STORE_DEVICE
    width = min(operation.bytes_moved, 4)
    base = replace(base, action=ACTIONS["store"], memory=int(memory), width=width, to=SCRATCH)
    words = max(operation.bytes_moved // 4, 1)
    rows = [replace(base, b=base.b + k, imm=4 * k, event=-1) for k in range(words)]
    return [*rows[:-1], replace(rows[-1], event=base.event)]


def _atomic(base: Micro, operation: Operation) -> list[Micro]:
    memory = Memory.ATOMIC_LOCAL if operation.is_local else Memory.ATOMIC_DEVICE
    # rd = r0 is the code of "no result"
    to, old = (base.to, 1) if base.to else (SCRATCH, 0)
    update = replace(
        base,
        action=ACTIONS["store"],
        memory=int(memory),
        width=4,
        imm=operation.modifier,
        to=to,
        old=old,
    )
    if not operation.mnemonic.endswith("_cas"):
        return [update]
    third = replace(base, action=ACTIONS["mov"], a=base.c, to=SCRATCH, event=-1)
    return [third, update]  # compare-and-swap finds its third operand in the scratch register


def _wave(base: Micro, operation: Operation) -> list[Micro]:
    action = ACTIONS[operation.mnemonic]
    if operation.mnemonic in ("wave_any", "wave_all"):
        return [replace(base, action=action, flag=base.a, a=0, to=SCRATCH, flag_to=base.to)]
    if operation.mnemonic == "wave_ballot":
        return [replace(base, action=action, flag=base.a, a=0)]
    return [replace(base, action=action)]


def _move(base: Micro, operation: Operation) -> list[Micro]:
    if operation.mnemonic == "mov_imm":
        return [replace(base, action=ACTIONS["immediate"])]
    return [replace(base, action=ACTIONS["special"], imm=base.a, a=0)]


_TESTS = {"IF": "all_of", "BREAK": "none_of", "CONTINUE": "none_of", "BARRIER": "everyone"}


def _control(base: Micro, operation: Operation) -> list[Micro]:
    base = replace(base, to=SCRATCH)
    name = operation.mnemonic.upper()
    if name not in Control.__members__:  # fences, wait and nop: every step is in order here
        return [base]
    flag = base.a if operation.operands and operation.operands[0].form == "p" else TRUE
    action = ACTIONS[_TESTS.get(name, "nothing")]
    return [replace(base, action=action, control=int(Control[name]), flag=flag, a=0)]


_CRACKERS = {
    Kind.WORD: _word,
    Kind.FLAG: _flag,
    Kind.SELECT: _select,
    Kind.PAIR: _pair,
    Kind.LOAD: _load,
    Kind.STORE: _store,
    Kind.ATOMIC: _atomic,
    Kind.WAVE: _wave,
    Kind.MOVE: _move,
    Kind.CONTROL: _control,
    # the engines refuse these kernels before they start; the row only keeps listings complete
    Kind.MATRIX: lambda base, operation: [replace(base, to=SCRATCH)],
}


def lower(kernel: Kernel, deviation: Deviation) -> list[Micro]:
    """Lower a kernel to micro-operations, for engines that keep masks or program counters."""
    code = kernel.instructions
    structure = analyse(code)
    cracked = [crack(instruction, i, deviation) for i, instruction in enumerate(code)]
    cracked = _drop_unread_results(kernel, cracked)
    first = np.concatenate([[0], np.cumsum([len(rows) for rows in cracked])])
    ends = _block_ends(kernel, structure)
    strange = _strange(deviation)
    rows: list[Micro] = []
    for index, group in enumerate(cracked):
        loop, outer = structure.loop[index], structure.outer_if[index]
        for row in group:
            here = len(rows) + 1
            if row.control == Control.CONTINUE:
                row = replace(row, imm=int(first[loop]) + 1)
            rows.append(
                replace(
                    row,
                    control=strange.get(row.control, row.control),
                    depth=structure.depth[index],
                    target=int(first[max(structure.partner[index], 0)]),
                    jump=int(first[ends[index]]) if ends[index] >= 0 else here,
                    loop_depth=structure.depth[loop] if loop >= 0 else -1,
                    if_depth=structure.depth[outer] if outer >= 0 else -1,
                )
            )
    return rows


def _strange(deviation: Deviation) -> dict[int, int]:
    """Return the control of the reference in place of ours."""
    late = {Control.BREAK: Control.BREAK_LATE, Control.ENDLOOP: Control.ENDLOOP_LATE}
    strange: dict[Control, Control] = late if deviation & Deviation.BREAK_IN_IF else {}
    if deviation & Deviation.CONTINUE:
        strange = {**strange, Control.CONTINUE: Control.CONTINUE_BACK}
    return {int(ours): int(theirs) for ours, theirs in strange.items()}


def _block_ends(kernel: Kernel, structure: Structure) -> list[int]:
    """Per instruction, the else, endif, endloop or final return that ends the block it is in.

    For an if, an else and a loop that is the end of the block they open.
    """
    code = kernel.instructions
    opens = {
        i for i, instruction in enumerate(code) if instruction.mnemonic in ("if", "else", "loop")
    }
    functions = {structure.partner[i] for i, c in enumerate(code) if c.mnemonic == "call"}
    ends: list[int] = []
    stack: list[int] = []
    final = -1
    for index, instruction in enumerate(code):
        if index in functions:
            final = next(
                i
                for i in range(index, len(code))
                if code[i].mnemonic == "return" and structure.depth[i] == 0 and not code[i].guard
            )
        if instruction.mnemonic in ("else", "endif", "endloop"):
            stack.pop()
        if index in opens:
            stack.append(structure.partner[index])
        ends.append(stack[-1] if stack else (final if index <= final else -1))
    return ends


def _drop_unread_results(kernel: Kernel, cracked: list[list[Micro]]) -> list[list[Micro]]:
    """Atomics whose old word no instruction reads need not fetch it in order."""
    read: set[int] = set()
    for instruction in kernel.instructions:
        for operand in instruction.operation.operands:
            if operand.field != "rd":
                start = getattr(instruction, operand.field)
                read |= set(range(start, start + operand.width))
    return [
        [replace(row, old=0, to=SCRATCH) if row.old and row.to not in read else row for row in rows]
        for rows in cracked
    ]
