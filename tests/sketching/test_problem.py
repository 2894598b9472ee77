import pytest

from quire.sketching import Grid, Shape


@pytest.mark.parametrize("name", ["n1", "n2", "r"])
@pytest.mark.parametrize("value", [0, -3, True])
def test_a_dimension_that_is_not_a_positive_integer_is_named(name, value):
    sizes = {"n1": 4, "n2": 4, "r": 4} | {name: value}
    with pytest.raises(ValueError, match=f"{name} = .*an integer, 1 or more") as caught:
        Shape(**sizes)
    assert repr(value) in str(caught.value)


def test_a_grid_larger_than_a_dimension_is_refused():
    with pytest.raises(ValueError, match="p2 = 8: at most n2 = 4"):
        Grid(1, 8, 1).check(Shape(4, 4, 4))
    assert not Grid(1, 8, 1).fits(Shape(4, 4, 4))
    assert Grid(4, 4, 4).fits(Shape(4, 4, 4))


def test_a_grid_side_below_one_is_refused():
    with pytest.raises(ValueError, match="p3 = 0"):
        Grid(1, 1, 0)


def test_more_ranks_than_multiplications_are_refused():
    Shape(2, 3, 4).check_ranks(24)
    with pytest.raises(ValueError, match="ranks = 25: at most the 24"):
        Shape(2, 3, 4).check_ranks(25)
