import pytest

from quire.sketching import enumerate_two_ranks, least_words, nystrom_coupled_bound


@pytest.mark.parametrize(("n", "r"), [(2, 2), (4, 2)])
def test_no_balanced_assignment_of_two_ranks_beats_the_bound(n, r):
    assert enumerate_two_ranks(n, r) == nystrom_coupled_bound(n, r, 2)


@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize("first_product_free", [True, False])
def test_nothing_outside_the_class_beats_it_either_for_n_4_r_2(first_product_free, balanced):
    found = least_words(4, 2, 2, first_product_free=first_product_free, balanced=balanced)
    assert found.certified
    assert found.words == nystrom_coupled_bound(4, 2, 2)


def test_integer_programming_agrees_with_enumeration():
    assert least_words(2, 2, 2).words == enumerate_two_ranks(2, 2) == 1


def test_whole_numbers_may_leave_a_gap():
    # the bound is 1.5 words: no assignment of whole words can attain it
    found = least_words(4, 2, 4)
    assert found.certified
    assert found.words == 2
    assert nystrom_coupled_bound(4, 2, 4) == 1.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: enumerate_two_ranks(6, 2), "n r.2 <= 16 are allowed"),
        (lambda: least_words(5, 2, 2), "ranks that divide n"),
        (lambda: least_words(16, 4, 2), "at most 128 products .here 256"),
        (lambda: least_words(2, 3, 2), "r = 3: at most n = 2"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
