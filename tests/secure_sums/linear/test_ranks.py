import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.secure_sums.checks import whole_numbers
from quire.secure_sums.linear.ranks import pack_rows, packed_prefix_ranks, prefix_ranks, rank


def matrix(data: st.DataObject, q: int) -> np.ndarray:
    rows, columns = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 6))
    entries = st.lists(st.integers(0, q - 1), min_size=rows * columns, max_size=rows * columns)
    return np.array(data.draw(entries)).reshape(rows, columns)


@given(st.sampled_from((2, 3, 4, 5, 9)), st.data())
@settings(max_examples=60)
def test_a_rank_is_the_size_of_the_row_space(q: int, data: st.DataObject) -> None:
    drawn = matrix(data, min(q, 3) if q in (2, 3) else q)[:3, :3]
    if q in (2, 3, 5):
        numbers = np.indices((q,) * len(drawn)).reshape(len(drawn), -1).T
        assert len(np.unique(numbers @ drawn % q, axis=0)) == q ** rank(drawn, q)
    else:
        assert 0 <= rank(drawn, q) <= min(drawn.shape)


@given(st.sampled_from((2, 3, 4, 5, 9)), st.data())
@settings(max_examples=60)
def test_prefix_ranks_are_the_ranks_of_the_prefixes(q: int, data: st.DataObject) -> None:
    drawn = matrix(data, q)
    expected = [rank(drawn[: i + 1], q) for i in range(len(drawn))]
    assert prefix_ranks(drawn[None], q)[0].tolist() == expected


@given(st.data())
@settings(max_examples=40)
def test_packed_rows_have_the_ranks_of_the_general_kernel(data: st.DataObject) -> None:
    drawn = matrix(data, 2)
    wide = np.concatenate([drawn, np.zeros((len(drawn), 65), dtype=np.int64)], axis=1)
    packed = packed_prefix_ranks(pack_rows(drawn[None]))
    assert packed.tolist() == prefix_ranks(wide[None], 2).tolist()


def test_ranks_depend_on_the_field() -> None:
    ones = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1]])
    assert (rank(ones, 2), rank(ones, 3)) == (2, 3)


def test_the_input_is_left_as_it_was() -> None:
    matrices = np.arange(18).reshape(2, 3, 3) % 5
    before = matrices.copy()
    prefix_ranks(matrices, 5)
    assert (matrices == before).all()


@pytest.mark.parametrize("q", [2, 3, 4])
def test_galois_agrees(q: int) -> None:
    galois = pytest.importorskip("galois")
    field = galois.GF(q)  # for q = 4 both sides use the only irreducible polynomial
    drawn = np.random.default_rng(q).integers(0, q, (20, 4, 5))
    assert [rank(m, q) for m in drawn] == [int(np.linalg.matrix_rank(field(m))) for m in drawn]


@pytest.mark.parametrize("q", [2, 3, 4])
def test_fractions_and_strangers_have_no_rank(q: int) -> None:
    for bad in (np.array([[0.5, 1.0]]), np.array([[1.0, 1.0]]), np.array([[1j]]), [["1"]]):
        with pytest.raises(ValueError, match="whole numbers are needed"):
            whole_numbers("matrix", bad)
        with pytest.raises((ValueError, TypeError)):
            rank(bad, q)
    with pytest.raises(ValueError, match=f"outside F_{q}"):
        rank(np.array([[q]]), q)
    with pytest.raises(ValueError, match=f"outside F_{q}"):
        rank(np.array([[-1]]), q)
    assert rank(np.array([[1, 0], [1, 0]], dtype=np.uint8), q) == 1


def test_more_than_64_columns_do_not_pack() -> None:
    with pytest.raises(ValueError, match="65 columns"):
        pack_rows(np.zeros((1, 65), dtype=np.int64))
