"""The instruction table: one row per mnemonic, and everything else is made from it.

The assembler, the codec, the disassembler, all engines and the reference page read these rows.
Encoding and mnemonics are those of WAVE v0.4 as really encoded by its toolchain (specification
v0.4, section 8, and the binary-encoding page; appendix A of the specification prints another map).
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from quire.isa.numbers import double, fast_single, half, single
from quire.isa.numbers import integers as integer


class Event(enum.IntEnum):
    """The classes in which executed wave-instructions are counted."""

    INTEGER = 0
    FLOAT = 1
    MEMORY = 2
    CONTROL = 3
    WAVE = 4
    ATOMIC = 5


class Kind(enum.Enum):
    """How an engine treats an instruction."""

    WORD = "word"  # lanes of words in, a word out
    FLAG = "flag"  # lanes of words in, a predicate out
    SELECT = "select"
    PAIR = "pair"  # a register pair out, or pairs in
    LOAD = "load"
    STORE = "store"
    ATOMIC = "atomic"
    WAVE = "wave"
    CONTROL = "control"
    MATRIX = "matrix"
    MOVE = "move"  # mov_imm and mov_sr


# Where an operand lies: rd and rs1 in word 0, the others in word 1.
FIELDS = ("rd", "rs1", "rs2", "rs3", "rs4", "imm", "scope")
SECOND_WORD = frozenset(FIELDS[2:])


@dataclass(frozen=True)
class Operand:
    """One operand: the field that holds it, and what it names.

    ``form`` is r (register), d (pair of registers), q (four registers), p (predicate),
    s (special register), i (32-bit immediate), l (label) or o (scope).
    """

    field: str
    form: str
    optional: bool = False

    @property
    def width(self) -> int:
        """How many registers in a row it names."""
        return {"r": 1, "d": 2, "q": 4}.get(self.form, 0)


@dataclass(frozen=True)
class Operation:
    """One row of the table.

    ``apply`` takes the source words (both words of a pair) and, if ``deviates``, the switches of
    `Deviation`; it is None where an engine does the work (memory, lanes, control). ``fast`` is a
    shorter way to the same words where the host can be trusted (`quire.isa.numbers.fast_single`).
    """

    mnemonic: str
    opcode: int
    modifier: int
    operands: tuple[Operand, ...]
    event: Event
    kind: Kind
    meaning: str
    apply: Callable[..., Any] | None = None
    deviates: bool = False

    @property
    def fast(self) -> Callable[..., Any] | None:
        """The function that gives the words and where they are in doubt, if there is one."""
        return _FAST.get(self.mnemonic)

    @property
    def words(self) -> int:
        """1, or 2 if an operand lies in the second word."""
        return 2 if any(operand.field in SECOND_WORD for operand in self.operands) else 1

    @property
    def bytes_moved(self) -> int:
        """Bytes per lane of a load or store, from the suffix of its mnemonic; else 0."""
        if self.kind not in (Kind.LOAD, Kind.STORE):
            return 4 if self.kind is Kind.ATOMIC else 0
        return int(self.mnemonic.rsplit("u", 1)[1]) // 8

    @property
    def is_local(self) -> bool:
        """Whether a memory instruction touches local memory."""
        return self.mnemonic.startswith("local_")


def _operands(text: str) -> tuple[Operand, ...]:
    pieces = []
    for piece in text.split():
        field, form = piece.rstrip("?").split(":")
        pieces.append(Operand(field, form, piece.endswith("?")))
    return tuple(pieces)


_FAST: dict[str, Callable[..., Any]] = {
    **{"fadd": fast_single.add, "fsub": fast_single.subtract, "fmul": fast_single.multiply},
    "fma": fast_single.fused_multiply_add,
}
ROWS: list[Operation] = []
R2, R3, R4 = "rd:r rs1:r", "rd:r rs1:r rs2:r", "rd:r rs1:r rs2:r rs3:r"


def _row(
    name: str,
    opcode: int,
    modifier: int,
    operands: str,
    event: Event,
    kind: Kind,
    meaning: str,
    apply: Callable[..., Any] | None = None,
    deviates: bool = False,
) -> None:
    ROWS.append(
        Operation(
            name, opcode, modifier, _operands(operands), event, kind, meaning, apply, deviates
        )
    )


def _words(event: Event, rows: list[tuple[Any, ...]]) -> None:
    """Rows of plain lane arithmetic: name, opcode, modifier, operands, meaning, function."""
    for name, opcode, modifier, operands, meaning, apply, *deviates in rows:
        _row(name, opcode, modifier, operands, event, Kind.WORD, meaning, apply, deviates == [True])


_words(
    Event.INTEGER,
    [
        ("iadd", 0x00, 0, R3, "rd = rs1 + rs2", integer.add),
        ("isub", 0x01, 0, R3, "rd = rs1 - rs2", integer.subtract),
        ("imul", 0x02, 0, R3, "rd = low 32 bits of rs1 * rs2", integer.multiply),
        ("imul_hi", 0x03, 0, R3, "rd = high word, signed", integer.multiply_high, True),
        ("imad", 0x04, 0, R4, "rd = rs1 * rs2 + rs3", integer.multiply_add),
        ("idiv", 0x05, 0, R3, "rd = rs1 / rs2, signed, truncated", integer.divide),
        ("imod", 0x06, 0, R3, "rd = rs1 rem rs2, signed", integer.remainder),
        ("ineg", 0x07, 0, R2, "rd = -rs1", integer.negate),
        ("iabs", 0x08, 0, R2, "rd = |rs1|, signed", integer.absolute),
        ("imin", 0x09, 0, R3, "rd = min(rs1, rs2), signed", integer.minimum),
        ("imax", 0x0A, 0, R3, "rd = max(rs1, rs2), signed", integer.maximum),
        ("iclamp", 0x0B, 0, R4, "rd = min(max(rs1, rs2), rs3), signed", integer.clamp),
        ("and", 0x20, 0, R3, "rd = rs1 & rs2", integer.bit_and),
        ("or", 0x21, 0, R3, "rd = rs1 | rs2", integer.bit_or),
        ("xor", 0x22, 0, R3, "rd = rs1 ^ rs2", integer.bit_xor),
        ("not", 0x23, 0, R2, "rd = ~rs1", integer.bit_not),
        ("shl", 0x24, 0, R3, "rd = rs1 << (rs2 & 31)", integer.shift_left),
        ("shr", 0x25, 0, R3, "rd = rs1 >> (rs2 & 31), logical", integer.shift_right),
        ("sar", 0x26, 0, R3, "rd = rs1 >> (rs2 & 31), signed", integer.shift_right_signed),
        ("bitcount", 0x27, 0, R2, "rd = number of ones in rs1", integer.count_ones),
        (
            "bitfind",
            0x27,
            1,
            R2,
            "rd = leading zeros of rs1, all ones for 0",
            integer.leading_zeros,
        ),
        ("bitrev", 0x27, 2, R2, "rd = bits of rs1 reversed", integer.reverse_bits),
        ("bfe", 0x27, 3, R4, "rd = rs3 bits of rs1 from bit rs2", integer.extract_field),
        (
            *("bfi", 0x27, 4, R4 + " rs4:r", "rd = rs1 with rs4 bits of rs2 at bit rs3"),
            integer.insert_field,
        ),
    ],
)
_words(
    Event.FLOAT,
    [
        ("fadd", 0x10, 0, R3, "rd = rs1 + rs2", single.add),
        ("fsub", 0x11, 0, R3, "rd = rs1 - rs2", single.subtract),
        ("fmul", 0x12, 0, R3, "rd = rs1 * rs2", single.multiply),
        ("fma", 0x13, 0, R4, "rd = rs1 * rs2 + rs3, rounded once", single.fused_multiply_add),
        ("fdiv", 0x14, 0, R3, "rd = rs1 / rs2", single.divide, True),
        ("fneg", 0x15, 0, R2, "rd = -rs1", single.negate),
        ("fabs", 0x16, 0, R2, "rd = |rs1|", single.absolute),
        ("fmin", 0x17, 0, R3, "rd = smaller number", single.minimum, True),
        ("fmax", 0x18, 0, R3, "rd = larger number", single.maximum),
        ("fclamp", 0x19, 0, R4, "rd = min(max(rs1, rs2), rs3)", single.clamp),
        ("fsqrt", 0x1A, 0, R2, "rd = grid root", single.of_double(jnp.sqrt)),
        (
            "frsqrt",
            0x1B,
            0,
            R2,
            "rd = 1 / grid root",
            single.of_double(lambda x: 1 / jnp.sqrt(x)),
        ),
        ("frcp", 0x1B, 1, R2, "rd = 1 / rs1", single.of_double(lambda x: 1 / x)),
        ("ffloor", 0x1B, 2, R2, "rd = floor", single.of_double(jnp.floor)),
        ("fceil", 0x1B, 3, R2, "rd = ceiling", single.of_double(jnp.ceil)),
        ("fround", 0x1B, 4, R2, "rd = nearest integer, ties to even", single.round_half, True),
        ("ftrunc", 0x1B, 5, R2, "rd = towards zero", single.of_double(jnp.trunc)),
        ("ffract", 0x1B, 6, R2, "rd = rs1 - floor(rs1)", single.fraction, True),
        ("fsat", 0x1B, 7, R2, "rd = clamp to [0, 1]", single.saturate),
        ("fsin", 0x1B, 8, R2, "rd = sine", single.of_double(jnp.sin)),
        ("fcos", 0x1B, 9, R2, "rd = cosine", single.of_double(jnp.cos)),
        ("fexp2", 0x1B, 10, R2, "rd = 2 ** rs1", single.of_double(jnp.exp2)),
        ("flog2", 0x1B, 11, R2, "rd = logarithm to base 2", single.of_double(jnp.log2)),
        ("hadd", 0x1C, 0, R3, "half: rd = rs1 + rs2", half.half("add")),
        ("hsub", 0x1C, 1, R3, "half: rd = rs1 - rs2", half.half("subtract")),
        ("hmul", 0x1C, 2, R3, "half: rd = rs1 * rs2", half.half("multiply")),
        ("hma", 0x1C, 3, R4, "half: rd = rs1 * rs2 + rs3", half.half("fused")),
        ("hadd2", 0x1D, 0, R3, "two halves: rd = rs1 + rs2", half.packed_half("add")),
        ("hmul2", 0x1D, 1, R3, "two halves: rd = rs1 * rs2", half.packed_half("multiply")),
        ("hma2", 0x1D, 2, R4, "two halves: rd = rs1 * rs2 + rs3", half.packed_half("fused")),
        ("badd", 0x2D, 0, R3, "bfloat16: rd = rs1 + rs2", half.bfloat("add"), True),
        ("bsub", 0x2D, 1, R3, "bfloat16: rd = rs1 - rs2", half.bfloat("subtract"), True),
        ("bmul", 0x2D, 2, R3, "bfloat16: rd = rs1 * rs2", half.bfloat("multiply"), True),
        ("bma", 0x2D, 3, R4, "bfloat16: rd = rs1 * rs2 + rs3", half.bfloat("fused"), True),
        ("badd2", 0x2E, 0, R3, "two bfloat16: rd = rs1 + rs2", half.packed_bfloat("add"), True),
        (
            "bmul2",
            0x2E,
            1,
            R3,
            "two bfloat16: rd = rs1 * rs2",
            half.packed_bfloat("multiply"),
            True,
        ),
        (
            "bma2",
            0x2E,
            2,
            R4,
            "two bfloat16: rd = rs1 * rs2 + rs3",
            half.packed_bfloat("fused"),
            True,
        ),
        ("cvt_f32_i32", 0x2C, 0, R2, "single from signed", single.from_signed),
        ("cvt_f32_u32", 0x2C, 1, R2, "single from unsigned", single.from_unsigned),
        ("cvt_i32_f32", 0x2C, 2, R2, "signed from single, saturating", single.to_signed),
        ("cvt_u32_f32", 0x2C, 3, R2, "unsigned from single, saturating", single.to_unsigned),
        ("cvt_f32_f16", 0x2C, 4, R2, "single from half", half.half_to_single),
        ("cvt_f16_f32", 0x2C, 5, R2, "half from single", half.single_to_half),
        ("cvt_f32_f64", 0x2C, 6, "rd:r rs1:d", "single from double", double.double_to_single),
        ("cvt_f32_bf16", 0x2C, 8, R2, "single from bfloat16", half.bfloat_to_single),
        ("cvt_bf16_f32", 0x2C, 9, R2, "bfloat16 from single", half.single_to_bfloat, True),
    ],
)
_words(Event.CONTROL, [("mov", 0x41, 0, R2, "rd = rs1", integer.copy)])

D3 = "rd:d rs1:d rs2:d"
for _name, _opcode, _modifier, _form, _meaning, _apply in (
    ("dadd", 0x1E, 0, D3, "double: rd = rs1 + rs2", "add"),
    ("dsub", 0x1E, 1, D3, "double: rd = rs1 - rs2", "subtract"),
    ("dmul", 0x1E, 2, D3, "double: rd = rs1 * rs2", "multiply"),
    ("dma", 0x1E, 3, D3 + " rs3:d", "double: rd = rs1 * rs2 + rs3", "fused"),
    ("ddiv", 0x1F, 0, D3, "double: rd = rs1 / rs2", "divide"),
    ("dsqrt", 0x1F, 1, "rd:d rs1:d", "double: grid root", "root"),
):
    _row(
        *(_name, _opcode, _modifier, _form, Event.FLOAT, Kind.PAIR, _meaning),
        double.double(_apply),
    )
_row(
    *("cvt_f64_f32", 0x2C, 7, "rd:d rs1:r", Event.FLOAT, Kind.PAIR, "double from single"),
    double.single_to_double,
)

_COMPARE = "rd:p rs1:r rs2:r"
for _name, _opcode, _modifier, _test in (
    ("icmp_eq", 0x28, 0, integer.equal),
    ("icmp_ne", 0x28, 1, integer.not_equal),
    ("icmp_lt", 0x28, 2, integer.less),
    ("icmp_le", 0x28, 3, integer.less_equal),
    ("icmp_gt", 0x28, 4, integer.greater),
    ("icmp_ge", 0x28, 5, integer.greater_equal),
    ("ucmp_lt", 0x29, 2, integer.below),
    ("ucmp_le", 0x29, 3, integer.below_equal),
    ("fcmp_eq", 0x2A, 0, single.equal),
    ("fcmp_ne", 0x2A, 1, single.not_equal),
    ("fcmp_lt", 0x2A, 2, single.less),
    ("fcmp_le", 0x2A, 3, single.less_equal),
    ("fcmp_gt", 0x2A, 4, single.greater),
    ("fcmp_ord", 0x2A, 6, single.are_ordered),
    ("fcmp_unord", 0x2A, 7, single.are_unordered),
):
    _sort = {"i": "signed", "u": "unsigned", "f": "float"}[_name[0]]
    _what = f"pd = rs1 {_name.split('_')[1]} rs2, {_sort}"
    _row(_name, _opcode, _modifier, _COMPARE, Event.INTEGER, Kind.FLAG, _what, _test)
_row(
    *("select", 0x2B, 0, "rd:r rs1:p rs2:r rs3:r", Event.INTEGER, Kind.SELECT),
    *("rd = rs2 where ps, else rs3", integer.choose),
)

_WIDTHS = {"u8": "r", "u16": "r", "u32": "r", "u64": "d", "u128": "q"}
for _modifier, (_width, _form) in enumerate(_WIDTHS.items()):
    for _space, _opcode in (("local", 0x30), ("device", 0x38)):
        if _space == "local" and _width == "u128":
            continue
        _row(
            *(f"{_space}_load_{_width}", _opcode, _modifier, f"rd:{_form} rs1:r"),
            *(Event.MEMORY, Kind.LOAD, f"rd = {_width} at {_space} address rs1"),
        )
        _row(
            *(f"{_space}_store_{_width}", _opcode + 1, _modifier, f"rs1:r rs2:{_form}"),
            *(Event.MEMORY, Kind.STORE, f"{_width} at {_space} address rs1 = rs2"),
        )

# The toolchain's assembler gives cas the modifier 0, the code of add; its decoder expects 8.
ATOMICS = ("add", "sub", "min", "max", "and", "or", "xor", "exchange", "cas")
for _modifier, _name in enumerate(ATOMICS):
    _more = " rs3:r" if _name == "cas" else ""
    _does = "swap in rs3 if it equals rs2" if _name == "cas" else f"{_name} rs2"
    _row(
        *(f"local_atomic_{_name}", 0x3C, _modifier, f"rd:r? rs1:r rs2:r{_more}"),
        *(Event.ATOMIC, Kind.ATOMIC, f"rd = old word at local rs1; {_does}"),
    )
    _row(
        *(f"atomic_{_name}", 0x3D, _modifier, f"rd:r? rs1:r rs2:r{_more} scope:o"),
        *(Event.ATOMIC, Kind.ATOMIC, f"rd = old word at device rs1; {_does}"),
    )

for _modifier, (_name, _form, _meaning) in enumerate(
    (
        ("shuffle", R3, "rd = rs1 of lane rs2"),
        ("shuffle_up", R3, "rd = rs1 of lane (own - rs2)"),
        ("shuffle_down", R3, "rd = rs1 of lane (own + rs2)"),
        ("shuffle_xor", R3, "rd = rs1 of lane (own xor rs2)"),
        ("broadcast", R3, "rd = rs1 of lane rs2 of the first active lane"),
        ("ballot", "rd:r rs1:p", "rd = mask of active lanes with ps, low 32"),
        ("any", "rd:p rs1:p", "pd = some active lane has ps"),
        ("all", "rd:p rs1:p", "pd = every active lane has ps"),
        ("prefix_sum", R2, "rd = sum of rs1 over active lanes below"),
        ("reduce_add", R2, "rd = sum of rs1 over active lanes"),
        ("reduce_min", R2, "rd = smallest rs1, signed"),
        ("reduce_max", R2, "rd = largest rs1, signed"),
    )
):
    _row(f"wave_{_name}", 0x3E, _modifier, _form, Event.WAVE, Kind.WAVE, _meaning)

for _modifier, (_name, _form, _meaning) in enumerate(
    (
        ("if", "rs1:p", "lanes without ps sleep until else or endif"),
        ("else", "", "sleeping and waking lanes change places"),
        ("endif", "", "every lane that entered the if is back"),
        ("loop", "", "the body repeats until every lane has left"),
        ("break", "rs1:p", "lanes with ps leave the loop"),
        ("continue", "rs1:p", "lanes with ps skip to the next round"),
        ("endloop", "", "back to loop while a lane remains"),
        ("call", "imm:l", "call the function at the label"),
        ("return", "", "back to the caller; at top level, halt"),
        ("halt", "", "end this thread"),
        ("barrier", "", "wait for every wave of the workgroup"),
        ("fence_acquire", "scope:o", "later loads see what the scope sees"),
        ("fence_release", "scope:o", "earlier stores are visible to the scope"),
        ("fence_acq_rel", "scope:o", "both fences"),
        ("wait", "", "wait for outstanding loads"),
        ("nop", "", "nothing"),
    )
):
    _row(_name, 0x3F, _modifier, _form, Event.CONTROL, Kind.CONTROL, _meaning)

for _modifier, _name in enumerate(("mma_load_a", "mma_load_b", "mma_store_c", "mma_compute")):
    _row(_name, 0x40, _modifier, R3, Event.FLOAT, Kind.MATRIX, "matrix tile, optional capability")
_row("mov_imm", 0x41, 1, "rd:r imm:i", Event.CONTROL, Kind.MOVE, "rd = 32-bit constant")
_row("mov_sr", 0x41, 2, "rd:r rs1:s", Event.CONTROL, Kind.MOVE, "rd = special register")

TABLE: dict[str, Operation] = {row.mnemonic: row for row in ROWS}
BY_CODE: dict[tuple[int, int], Operation] = {(row.opcode, row.modifier): row for row in ROWS}


SPECIAL_REGISTERS: tuple[str, ...] = (
    *(f"sr_thread_id_{axis}" for axis in "xyz"),
    *("sr_wave_id", "sr_lane_id"),
    *(
        f"sr_{name}_{axis}"
        for name in ("workgroup_id", "workgroup_size", "grid_size")
        for axis in "xyz"
    ),
    *("sr_wave_width", "sr_num_waves"),
    *("sr_mma_supported", "sr_mma_m", "sr_mma_n", "sr_mma_k"),
)
SCOPES = ("wave", "workgroup", "device", "system")
PREDICATES = 4
MAX_REGISTERS = 255  # that a text may declare; words can name one more
