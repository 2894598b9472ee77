import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.isa import TABLE, assemble, disassemble
from quire.isa.errors import EncodingError
from quire.isa.program import Guard, Instruction, Kernel
from quire.isa.table import BY_CODE, FIELDS, ROWS, SPECIAL_REGISTERS, Kind
from quire.isa.text.encoding import decode, decode_words, encode, encode_words
from quire.isa.text.reference_table import markdown, rows


def test_no_code_is_used_twice_and_every_field_fits():
    assert len(BY_CODE) == len(TABLE) == len(ROWS)
    for row in ROWS:
        assert 0 <= row.opcode <= 0xFF and 0 <= row.modifier <= 0xF
        used = [operand.field for operand in row.operands]
        assert len(set(used)) == len(used) and set(used) <= set(FIELDS)


def test_mnemonics_and_special_registers_are_184_names():
    assert len(TABLE) + len(SPECIAL_REGISTERS) == 184


def test_every_lane_operation_has_a_function_and_no_other_has():
    lanes = {Kind.WORD, Kind.FLAG, Kind.SELECT, Kind.PAIR}
    for row in ROWS:
        assert (row.apply is not None) == (row.kind in lanes), row.mnemonic


def random_instruction(row, seed):
    generator = random.Random(seed)
    fields = {}
    for operand in row.operands:
        top = {"p": 3, "s": 19, "o": 3, "i": 2**32 - 1, "l": 4 * 5}.get(operand.form)
        fields[operand.field] = generator.randint(0, 255 - operand.width if top is None else top)
    guard = Guard(generator.randint(1, 3), generator.random() < 0.5)
    return Instruction(row, **fields, guard=guard if generator.random() < 0.5 else None)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=20)
def test_words_of_every_mnemonic_decode_to_the_instruction(seed):
    for row in ROWS:
        instruction = random_instruction(row, seed)
        words = encode_words(instruction)
        assert len(words) == row.words
        assert decode_words(words[0], words[1] if len(words) > 1 else None) == instruction


@given(seed=st.integers(0, 2**32))
@settings(max_examples=20)
def test_disassembly_assembles_to_the_same_words(seed):
    plain = [row for row in ROWS if row.kind is not Kind.CONTROL]
    generator = random.Random(seed)
    chosen = [random_instruction(generator.choice(plain), generator.random()) for _ in range(30)]
    code, offset = [], 0
    for instruction in chosen:
        code.append(Instruction(**{**vars(instruction), "offset": offset}))
        offset += 4 * instruction.operation.words
    kernel = Kernel("k", tuple(code), 255)
    again = assemble(disassemble(kernel)).kernel()
    assert encode(again) == encode(kernel)
    assert decode(encode(kernel)) == kernel.instructions


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ((0xFF000000, None), "no instruction has opcode 0xFF"),
        ((0x2A000050, 0), "modifier 5"),
        ((0x00010100, None), "lacks its second word"),
        ((0x3F000028, None), "reserved bits"),
        ((0x00010100, 0x03000004), "reserved bits"),
        ((0x28050000, 0x01000000), "only 0 to 3 exist"),
        ((0x41001420, None), "only 0 to 19 exist"),
    ],
)
def test_words_that_no_assembler_wrote_are_rejected(words, what):
    with pytest.raises(EncodingError, match=what):
        decode_words(*words)


def test_the_reference_page_has_a_row_per_mnemonic():
    assert [record["mnemonic"] for record in rows()][:2] == ["iadd", "isub"]
    assert markdown().count("\n| ") >= 184
