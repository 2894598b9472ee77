import pytest

from quire.isa import assemble, assembly_lines, disassemble, encode
from quire.isa.errors import AssemblyError, DivergenceOverflow, RegisterOutOfRange, StructureError
from quire.isa.structure import analyse


def kernel(*lines, registers=16):
    return assemble("\n".join([".kernel k", f".registers {registers}", *lines, ".end"])).kernel()


@pytest.mark.parametrize(
    ("line", "column", "what"),
    [
        ("    frobnicate r1, r2", 5, "unknown mnemonic 'frobnicate'"),
        ("iadd r1, r2", 1, "takes 3 operands, 2 are given"),
        ("iadd r1, r2, p1", 14, "'p1' is not a register"),
        ("iadd r1, r255, r2", 10, "beyond the last register"),
        ("dadd r254, r0, r2", 6, "beyond the last register"),
        ("icmp_lt p4, r0, r1", 9, "'p4' is not a predicate"),
        ("@p7 iadd r1, r2, r3", 1, "predicates are p0 to p3"),
        ("mov_imm r1, 4294967296", 13, "does not fit into 32 bits"),
        ("mov_imm r1, x", 13, "'x' is not a number"),
        ("mov_sr r1, sr_colour", 12, "special register"),
        ("atomic_add r1, r2, r3, galaxy", 24, "scope"),
        ("iadd r1 r2, r3", 9, "expected a comma"),
        ("iadd r1, r2,", 12, "missing after the comma"),
        ("call nowhere", 6, "label 'nowhere' is not defined"),
        ("iadd r1, r2, $3", 14, "unexpected character"),
        ("@p1", 1, "starts with its mnemonic"),
        (".colour 3", 1, "unknown directive"),
        (".registers 300", 12, "1 to 255"),
        ("hadd r0.lo, r1, r2", 8, "expected a comma"),
    ],
)
def test_errors_carry_line_and_column(line, column, what):
    with pytest.raises(AssemblyError, match=what) as caught:
        assemble(f".kernel k\n{line}\nhalt\n.end\n")
    if line != "@p1":
        assert (caught.value.line, caught.value.column) == (2, column)


def test_text_outside_of_kernels_is_rejected():
    with pytest.raises(AssemblyError, match=r"between \.kernel and \.end"):
        assemble("halt\n")
    with pytest.raises(AssemblyError, match=r"has no \.end"):
        assemble(".kernel k\nhalt\n")
    with pytest.raises(AssemblyError, match=r"write \.end first"):
        assemble(".kernel a\n.kernel b\n")


def test_numbers_labels_comments_and_sugar():
    k = kernel(
        "mov r1, sr_lane_id ; sugar for mov_sr",
        "mov_imm r2, 1.5",
        "mov_imm r3, -1 # all ones",
        "mov_imm r4, 0xFF_00",
        "device_load_u32 .cached r5, r2",
        "call f",
        "halt",
        "f: return",
    )
    values = [i.imm for i in k.instructions[1:4]]
    assert values == [0x3FC00000, 0xFFFFFFFF, 0xFF00]
    assert k.instructions[5].imm == k.instructions[7].offset
    assert encode(assemble(disassemble(k)).kernel()) == encode(k)
    assert "call at_" in disassemble(k)


def test_assembly_lines_show_text_words_and_offsets_side_by_side():
    lines = assembly_lines(
        kernel("icmp_lt p1, r0, r1", "if p1", "iadd r1, r1, r3", "endif", "halt")
    )
    assert [line.words for line in lines] == [
        "28010020 01000000",
        "3F000100",
        "00010100 03000000",
        "3F000020",
        "3F000090",
    ]
    assert lines[2].text == "    iadd r1, r1, r3" and lines[2].offset == 12


@pytest.mark.parametrize(
    "lines",
    [
        ["if p1", "halt"],
        ["endif"],
        ["loop", "endif", "endloop"],
        ["if p1", "else", "else", "endif"],
        ["loop", "if p1", "endloop", "endif"],
        ["break p1"],
        ["if p1", "continue p1", "endif"],
        ["@p1 loop", "endloop"],
        ["f: call f", "return"],
        ["call f", "halt", "if p1", "f: endif"],
        ["call f", "halt", "f: nop"],
    ],
)
def test_control_flow_that_does_not_nest_is_rejected(lines):
    with pytest.raises(StructureError):
        kernel(*lines)


def test_thirty_two_levels_are_allowed_and_thirty_three_overflow():
    deep = ["if p1"] * 32 + ["nop"] + ["endif"] * 32
    assert max(analyse(kernel(*deep).instructions).depth) == 32
    with pytest.raises(DivergenceOverflow):
        kernel("if p1", *deep, "endif")
    with pytest.raises(DivergenceOverflow):
        kernel("call f", "halt", "f:", *deep, "return")


def test_a_register_beyond_the_declared_ones_is_named():
    with pytest.raises(RegisterOutOfRange, match="line 3, offset 0: iadd uses r9"):
        kernel("iadd r9, r1, r2", registers=9).check_registers()
    with pytest.raises(RegisterOutOfRange, match="uses r4"):
        kernel("dadd r0, r2, r3", registers=4).check_registers()
    kernel("dadd r0, r2, r2", registers=4).check_registers()
