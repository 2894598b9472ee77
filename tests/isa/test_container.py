import struct

import pytest

from quire.isa import assemble, disassemble, read_wbin, write_wbin
from quire.isa.errors import EncodingError


def test_containers_equal_those_of_the_reference_assembler(golden, stated):
    for program in golden:
        assert write_wbin(assemble(program.source)) == bytes.fromhex(program.wbin), program.name
    for entry in stated:
        assert write_wbin(assemble(entry["source"])).hex() == entry["wbin_hex"]


def test_reading_and_writing_are_inverse(golden):
    for program in golden:
        module = read_wbin(bytes.fromhex(program.wbin))
        assert write_wbin(module) == bytes.fromhex(program.wbin)
        assert write_wbin(assemble(disassemble(module))) == bytes.fromhex(program.wbin)


def test_several_kernels_keep_names_resources_and_code():
    text = (
        ".kernel first\n.registers 7\n.local_memory 64\n.workgroup_size 8, 4, 2\nnop\nhalt\n.end\n"
        ".kernel second\nmov_imm r1, 7\nhalt\n.end\n"
    )
    module = read_wbin(write_wbin(assemble(text)))
    assert module == assemble(text)
    assert module.kernel("second").registers == 32
    assert module.kernel().workgroup == (8, 4, 2)
    with pytest.raises(KeyError, match="third"):
        module.kernel("third")


def flipped(data, at, value):
    return data[:at] + struct.pack("<I", value) + data[at + 4 :]


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda d: d[:20], "too few"),
        (lambda d: b"WAVY" + d[4:], "starts with"),
        (lambda d: flipped(d, 4, 2), "version 2"),
        (lambda d: d[:-1], "cut or padded"),
        (lambda d: d + b"\0", "cut or padded"),
        (lambda d: flipped(d, 12, 4), "cut or padded"),
        (lambda d: flipped(d, len(d) - 36, 3), "do not fill"),
        (lambda d: flipped(d, len(d) - 32, 1), "does not follow"),
        (lambda d: flipped(d, len(d) - 4, 4), "left over"),
        (lambda d: flipped(d, 32, 0xEE000000), "no instruction"),
        (
            lambda d: flipped(d, len(d) - 28, 100000),
            "registers = 100000: must be an integer, from 1 to 256",
        ),
        (lambda d: flipped(d, len(d) - 28, 0), "registers = 0: must be an integer, from 1 to 256"),
        (lambda d: flipped(d, len(d) - 20, 4096), r"workgroup = \(4096, .*1 to 1024 threads"),
    ],
)
def test_damaged_containers_are_rejected(golden, damage, what):
    with pytest.raises(EncodingError, match=what):
        read_wbin(damage(bytes.fromhex(golden[0].wbin)))
