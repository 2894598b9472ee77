from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.secure_sums import (
    LinearProtocol,
    brute_force_information,
    check_collusion,
    correct,
    leakage,
    leakage_to,
    mutual_information,
    one_pad_protocol,
    optimal_region,
    reused_pad_protocol,
    zero_sum_matrix,
    zero_sum_protocol,
)


@pytest.mark.parametrize("q", [2, 3, 4, 5])
@pytest.mark.parametrize("users", [3, 4, 5, 6, 8])
def test_the_scheme_is_correct_and_leaks_nothing(users: int, q: int) -> None:
    protocol = zero_sum_protocol(users, q)
    report = leakage(protocol, range(users - 2))
    assert correct(protocol).all() and protocol.encodable()
    assert report.worst.symbols == 0
    assert protocol.rates() == optimal_region(users)


@pytest.mark.parametrize("users", [3, 4, 5])
def test_more_colluders_find_nothing_left_to_learn(users: int) -> None:
    assert not leakage(zero_sum_protocol(users, 3), [users - 2]).symbols.any()


@given(st.sampled_from((2, 3)), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_ranks_agree_with_enumeration_for_any_linear_map(q: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    left, right, given_ = (rng.integers(0, q, (rng.integers(1, 4), 5)) for _ in range(3))
    by_rank = mutual_information(left, right, given_, q)
    assert brute_force_information(left, right, given_, q) == pytest.approx(
        by_rank * np.log2(q), abs=1e-12
    )


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_more_colluders_of_a_leaky_scheme_are_due_more_and_hear_no_more(seed: int) -> None:
    """I(X; W | sums and pooled data) + what the pool says outright never falls with 𝒯."""
    rng = np.random.default_rng(seed)
    protocol = one_pad_protocol(rng.integers(0, 3, (4, 2)), 3)
    report = leakage(protocol, range(3))
    known = {
        (int(u), tuple(np.flatnonzero(c))): int(s)
        for u, c, s in zip(report.users, report.colluders, report.symbols, strict=True)
    }
    for (u, colluders), leak in known.items():
        for extra in set(range(4)) - {u, *colluders}:
            larger = tuple(sorted((*colluders, extra)))
            if (u, larger) in known:
                # the new member's own input is one symbol that the pool may have learnt before
                assert leak <= known[u, larger] + 1


def test_a_missing_source_symbol_names_a_witness() -> None:
    matrix = zero_sum_matrix(4, 3).copy()
    matrix[1] = matrix[0]  # users 0 and 1 share a pad
    matrix[3] = -matrix[:3].sum(axis=0) % 3
    worst = leakage(one_pad_protocol(matrix, 3), range(2)).worst
    assert (worst.user, worst.colluders, worst.symbols) == (0, (), 1)


def test_a_lazy_check_of_single_messages_passes_keys_that_cancel_in_pairs() -> None:
    protocol = one_pad_protocol(np.array([[1, 0], [2, 0], [0, 1], [0, 2]]), 3)
    inputs, nothing = protocol.inputs[:, 0], np.zeros((0, 6), dtype=np.int64)
    assert correct(protocol).all()
    for message in protocol.messages:
        assert mutual_information(message, inputs, nothing, 3) == 0
    assert leakage(protocol, [0]).worst.symbols == 1


@pytest.mark.parametrize("users", [3, 4, 5])
def test_a_reused_pad_leaks_the_difference_of_the_rounds(users: int) -> None:
    worst = leakage(reused_pad_protocol(users, 3), range(users - 2)).worst
    assert worst.symbols == users - 2


def test_a_server_style_user_that_keeps_its_own_key_gets_no_sum() -> None:
    protocol = zero_sum_protocol(4, 3)
    keyless = LinearProtocol(
        3,
        protocol.inputs,
        np.zeros_like(protocol.keys),
        protocol.messages,
        protocol.hears,
        protocol.wanted,
    )
    assert not correct(keyless).any()


@pytest.mark.parametrize(("users", "colluders"), [(2, 0), (4, -1), (4, 2), (3, 1)])
def test_ranges_with_nothing_to_protect_are_refused(users: int, colluders: int) -> None:
    with pytest.raises(ValueError, match=r"nothing to protect|vacuous"):
        check_collusion(users, colluders)


def test_rates_count_symbols_per_input_symbol() -> None:
    rates = reused_pad_protocol(4, 3).rates()
    assert (rates.message, rates.key, rates.total_key) == (1, Fraction(1, 2), Fraction(3, 2))


def test_a_dropped_message_leaves_everybody_else_with_noise() -> None:
    protocol = zero_sum_protocol(4, 3)
    messages = protocol.messages.copy()
    messages[2] = 0
    broken = LinearProtocol(
        3, protocol.inputs, protocol.keys, messages, protocol.hears, protocol.wanted
    )
    assert correct(broken).tolist() == [False, False, True, False]  # its sender hears all others


def test_permuting_the_users_changes_no_leak() -> None:
    matrix = zero_sum_matrix(5, 3)
    order = np.random.default_rng(0).permutation(5)
    for m in (matrix, matrix[order]):
        assert leakage(one_pad_protocol(m, 3), range(3)).worst.symbols == 0


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.int8])
def test_who_hears_whom_may_be_given_in_zeros_and_ones(kind: type) -> None:
    matrix = zero_sum_matrix(4, 3).copy()
    matrix[1] = matrix[0]
    matrix[3] = -matrix[:3].sum(axis=0) % 3
    plain = one_pad_protocol(matrix, 3)
    numbered = replace(plain, hears=plain.hears.astype(kind))
    for sizes in ([0], [1], [2], range(3)):
        expected = leakage(plain, sizes).symbols
        assert (leakage(numbered, sizes).symbols == expected).all()
    assert leakage(numbered, range(2)).worst.symbols == 1
    with pytest.raises(ValueError, match="neither yes nor no"):
        replace(plain, hears=plain.hears.astype(kind) * 2)
    with pytest.raises((ValueError, TypeError), match="hears"):
        replace(plain, hears=plain.hears[:3])


def test_what_a_colluder_sends_counts_even_if_it_does_not_follow_from_what_it_holds() -> None:
    """User 1 sends what does not follow from its input and key; the coalition hears it anyway."""
    plain = zero_sum_protocol(4, 3)
    messages = plain.messages.copy()
    messages[1] = plain.inputs[2]  # user 2's input in clear, out of user 1's mouth
    odd = replace(plain, messages=messages)
    assert not odd.encodable()
    heard = odd.messages[1:].reshape(3, -1)
    given = np.concatenate(
        [odd.wanted[0], *odd.inputs[:2], *odd.keys[:2]],
    )
    inputs = odd.inputs.reshape(4, -1)
    expected = mutual_information(heard, inputs, given, 3)
    report = leakage(odd, [1])
    pair = (report.users == 0) & report.colluders[:, 1]
    assert report.symbols[pair].tolist() == [expected] == [1]


def test_protected_inputs_alone_are_asked_for() -> None:
    """Users 1 and 2 send in clear: that tells nothing of user 0 as long as user 3 is masked."""
    plain = one_pad_protocol(np.array([[1], [0], [0], [2]]), 3)
    observers, nobody = np.array([2]), np.zeros((1, 4), dtype=bool)
    assert leakage_to(plain, observers, nobody).worst.symbols == 1
    only_zero = np.array([[True, False, False, False]])
    assert leakage_to(plain, observers, nobody, only_zero).worst.symbols == 0
    with pytest.raises(ValueError, match="outside 0 … 3"):
        leakage_to(plain, np.array([4]), nobody)


def test_ill_formed_protocols_are_refused() -> None:
    protocol = zero_sum_protocol(3, 3)
    with pytest.raises(ValueError, match="a prime power"):
        replace(protocol, q=6)
    with pytest.raises(ValueError, match="keys has entries outside F_3"):
        replace(protocol, keys=protocol.keys + 2)


def test_too_large_an_enumeration_is_refused() -> None:
    rows = np.zeros((1, 40), dtype=np.int64)
    with pytest.raises(ValueError, match="outcomes exceed"):
        brute_force_information(rows, rows, rows, 2)
