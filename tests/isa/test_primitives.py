"""Each primitive's program on every engine, and without the primitive."""

from dataclasses import replace

import pytest

from quire.isa import ENGINES
from quire.isa.primitives import PRIMITIVES, holds, needed, shown

IDS = [primitive.name for primitive in PRIMITIVES]


def test_there_are_ten_and_the_shuffle():
    assert [primitive.number for primitive in PRIMITIVES] == list(range(1, 12))


@pytest.mark.parametrize("primitive", PRIMITIVES, ids=IDS)
@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "execution masks"])
def test_a_primitives_program_leaves_the_same_words(primitive, engine):
    assert holds(primitive, engine)


@pytest.mark.parametrize("primitive", PRIMITIVES, ids=IDS)
def test_compiled_masks_leave_the_same_words(primitive):
    assert holds(primitive, "execution masks")


def test_only_atomics_and_barriers_cannot_be_replaced():
    assert {p.number: needed(p) for p in PRIMITIVES if p.instead is not None} == {
        **dict.fromkeys((2, 4, 11), False),
        **dict.fromkeys((7, 8), True),
    }
    assert [p.number for p in PRIMITIVES if needed(p) is None] == [1, 3, 5, 6, 9, 10]


def test_a_barrier_that_is_not_taken_away_is_no_control():
    barrier = PRIMITIVES[7]
    assert needed(replace(barrier, instead=barrier.body)) is False


def test_what_was_tried_is_told():
    rows = {row.number: row.without for row in shown(["mask stack"])}
    assert rows[2] == "a select: the same words"
    assert rows[8] == "no barrier: other words"
    assert rows[1] == "not tried"
