"""Each primitive's program on every engine, and without the primitive."""

import pytest

from quire.isa import ENGINES
from quire.isa.primitives import PRIMITIVES, holds, needed

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


@pytest.mark.parametrize("primitive", PRIMITIVES, ids=IDS)
def test_a_program_without_its_primitive_goes_wrong(primitive):
    if primitive.without is None:
        with pytest.raises(ValueError, match="one with a program without it"):
            needed(primitive)
    else:
        assert needed(primitive)
