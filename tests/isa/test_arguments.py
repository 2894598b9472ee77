"""Arguments of other kinds: the same answer where they mean the same, else refused by name."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from quire.isa import (
    DIALECTS,
    Dialect,
    Instruction,
    Kernel,
    Launch,
    Module,
    RunOptions,
    Schedule,
    assemble,
    decode,
    encode,
    occupancy,
    read_wbin,
    resident_waves,
    run,
    write_wbin,
)
from quire.isa.costs.bank_conflicts import (
    conflict_degree,
    multiplicity,
    transactions,
    wide_passes,
)
from quire.isa.kernels.maps import vadd
from quire.isa.program import Guard
from quire.isa.table import TABLE

pytestmark = pytest.mark.usefixtures("unchecked_types")

KERNEL = assemble(vadd(8)).kernels[0]
LANES = np.arange(32, dtype=np.uint32)[None] * 4
ALL = np.ones((1, 32), bool)


def test_a_wide_access_touches_every_line_that_it_covers() -> None:
    one = np.zeros((1, 1), np.uint32)
    assert transactions(one, [[True]], 128).tolist() == [4]
    assert transactions(one + 31, [[True]], 66).tolist() == [4]
    assert transactions(LANES, ALL, 4).tolist() == [4]


@pytest.mark.parametrize("cast", [np.uint8, np.int16, np.int64, list])
def test_addresses_of_other_types_cost_the_same(cast: Any) -> None:
    given = LANES.tolist() if cast is list else LANES.astype(cast)
    assert conflict_degree(given, ALL) == conflict_degree(LANES, ALL) == 1
    assert wide_passes(given) == wide_passes(LANES)
    assert multiplicity(given, ALL) == 1


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: conflict_degree(LANES.astype(float), ALL), "addresses"),
        (lambda: conflict_degree(-LANES.astype(int), ALL), "addresses"),
        (lambda: conflict_degree(LANES[:, :0], ALL[:, :0]), "at least one lane"),
        (lambda: conflict_degree(LANES, ALL.astype(int)), "active"),
        (lambda: conflict_degree(LANES, ALL[:, :3]), "active"),
        (lambda: conflict_degree(LANES, ALL, 0), "banks = 0"),
        (lambda: wide_passes(LANES[:, :31]), "even number"),
        (lambda: wide_passes(LANES, 6), "banks = 6"),
        (lambda: transactions(LANES, ALL, 0), "width = 0"),
        (lambda: occupancy(float("nan"), 32, 32), "register_file"),
        (lambda: occupancy(2**18, 32.0, 32), "registers"),
        (lambda: resident_waves(DIALECTS["amd"], 32, Launch(), -1), "local_bytes = -1"),
        (lambda: resident_waves(None, 32, Launch()), "dialect = None"),
        (lambda: Dialect("x", 0, 255, 2**18, 2**16, 1024, 32), "width = 0"),
        (lambda: Kernel("two words", ()), "name = 'two words'"),
        (lambda: Kernel("k", (None,)), r"instructions\[0\] = None"),
        (lambda: Module([KERNEL, "x"]), r"kernels\[1\] = 'x'"),
        (lambda: Launch(wave_width=33), "wave_width = 33"),
        (lambda: Launch(grid=None), "grid = None"),
        (lambda: Launch(grid=(1, 1)), "grid"),
        (lambda: Instruction(TABLE["iadd"], rd=300), "rd = 300"),
        (lambda: Instruction(TABLE["mov_imm"], imm=-1), "imm = -1"),
        (lambda: Instruction(None), "operation = None"),
        (lambda: Guard(4), "register = 4"),
        (lambda: RunOptions(skip_empty="no"), "skip_empty = 'no'"),
        (lambda: RunOptions(schedule="random"), "schedule = 'random'"),
        (lambda: Schedule("random", seed=None), "seed = None"),
        (lambda: run(None, Launch(), np.zeros(8, np.uint32)), "kernel = None"),
        (lambda: run(KERNEL, None, np.zeros(8, np.uint32)), "launch = None"),
        (lambda: run(KERNEL, Launch(), np.zeros(8, np.uint32), engine=["mask stack"]), "engine"),
        (lambda: assemble(b".kernel k\n.end"), "source"),
        (lambda: decode("text"), "code = 'text'"),
        (lambda: encode(None), "kernel = None"),
        (lambda: write_wbin(KERNEL), "module"),
        (lambda: read_wbin(None), "data = None"),
    ],
)
def test_what_is_no_such_argument_is_refused_by_name(call: Callable[[], Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        call()


def test_small_integers_do_not_overflow() -> None:
    assert occupancy(2**18, np.int8(32), np.uint8(32)) == occupancy(2**18, 32, 32) == 64
    assert Launch(workgroup=(64, 1, 1), wave_width=np.uint8(32)).waves == 2
    nvidia = DIALECTS["nvidia"]
    assert resident_waves(nvidia, np.uint8(32), Launch()) == resident_waves(nvidia, 32, Launch())


def test_a_container_may_be_any_kind_of_bytes_and_lists_stand_for_tuples() -> None:
    module = Module([KERNEL])
    data = write_wbin(module)
    assert read_wbin(memoryview(data)) == read_wbin(bytearray(data)) == read_wbin(data)
    assert Kernel("k", iter(KERNEL.instructions)).instructions == KERNEL.instructions
    assert hash(module) == hash(Module((KERNEL,)))
