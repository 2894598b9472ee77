from fractions import Fraction

import numpy as np
import pytest

from quire.secure_sums import FAULTS, FixedPoint, InfeasibleError, experiments, processes_supported
from quire.secure_sums.converse.hand_proof import confirm_lines, proof_lines
from quire.secure_sums.experiments.races import median_interval
from quire.secure_sums.experiments.schemes import Timed
from quire.secure_sums.peers.mpyc import mpyc_inputs

between_processes = pytest.mark.skipif(
    not processes_supported(), reason="needs forkserver and sendmsg"
)


def test_the_worked_example_adds_up_in_every_column() -> None:
    rows = experiments.worked_example(4, 3, seed=1)
    assert len(rows) == 15
    for place in range(3):
        column = [row for row in rows if row.place == place and row.user != "all"]
        assert sum(row.pad for row in column) % 10 == 0
        total = next(row for row in rows if row.place == place and row.user == "all")
        assert total.input == total.message == sum(row.message for row in column) % 10
        assert all((row.input + row.pad) % 10 == row.message for row in column)


def test_the_scheme_meets_the_theorem_for_every_case() -> None:
    rows = experiments.leaks_of_the_scheme((3, 4), (2, 3))
    assert [(row.users, row.q, row.coalitions) for row in rows] == [
        (3, 2, 3),
        (3, 3, 3),
        (4, 2, 16),
        (4, 3, 16),
    ]
    assert all(row.correct and row.leak == 0 and row.over_theorem == (1, 1, 1) for row in rows)


def test_a_shared_pad_leaks_unless_both_twins_are_inside() -> None:
    rows = experiments.shared_pad(5)
    assert {(row.twins, row.leak) for row in rows} == {(0, 1), (1, 1), (2, 0)}
    assert all(row.correct for row in rows)
    assert sum(row.coalitions for row in rows) == 55


def test_enumeration_and_reuse() -> None:
    rows = experiments.enumerate_schemes(3)
    assert [(r.q, r.schemes) for r in rows if r.sources == 2] == [(2, 6), (3, 48), (5, 480)]
    assert all(r.schemes == (r.group_order if r.sources == 2 else 0) for r in rows)
    reused = experiments.reuse_of_a_pad((3, 4))
    assert [(row.users, row.correct, row.leak) for row in reused] == [(3, True, 1), (4, True, 2)]
    found = experiments.ranks_against_enumeration(0, drawn=1)
    assert found.compared == 8 and found.largest_difference < 1e-12
    assert Timed(3, 0, (1.0, 9.0, 2.0)).median == 2.0


def test_proved_rates_are_compared_as_fractions() -> None:
    rows = experiments.proved_rates((3,))
    assert [row.bound for row in rows] == [1, 1, 2] and experiments.ratios(rows) == [1, 1]
    object.__setattr__(rows[0], "bound", Fraction(3, 2))  # which floors to the theorem's
    assert experiments.ratios(rows) == [1, 1.5]
    object.__setattr__(rows[0], "verified", False)
    with pytest.raises(ArithmeticError):
        experiments.ratios(rows)


def test_sizes_and_collusion_levels() -> None:
    (size,) = experiments.sizes_of_programs((3,))
    assert (size.joint_entropies, size.unknowns, size.unknowns_one_user) == (1023, 126, 296)
    exact, upto = experiments.collusion_levels(3, ((1,), (0, 1)))
    assert exact.against == "exactly 1" and exact.rates == [1, 0, 0]
    assert upto.against == "0 or 1" and upto.rates == [1, 1, 2]
    own, total = experiments.threshold_bounds((3,), (3, 4))
    assert own.rates == [1, 1, 2] and total.total_key == 3 and np.isnan(total.message)


def test_every_line_of_the_hand_proof_is_confirmed() -> None:
    lines = confirm_lines(3)
    assert len(lines) == len(proof_lines(3)) == 10
    assert all(line.holds for line in lines)
    assert sum(line.least == line.claimed for line in lines) == 10  # and none can be sharpened


def test_a_false_line_is_not_confirmed() -> None:
    """The program would find a protocol below a line that claims too much."""
    (line,) = (line for line in confirm_lines(3) if line.says == "H(X_k) >= 1")
    assert not type(line)(line.says, line.claimed + 1, line.least).holds


def test_group_keys_at_and_below_the_rate() -> None:
    (row,) = experiments.group_keys([(4, 0, 2)], seed=1, draws=2)
    assert row.correct and row.leak == 0 and row.theorem == Fraction(2, 3)
    assert row.least_leak_with_less >= 1
    (none_left,) = experiments.group_keys([(5, 2, 2)], seed=1, draws=1)
    assert none_left.leak == 0 and none_left.least_leak_with_less is None
    with pytest.raises(InfeasibleError):
        experiments.group_keys([(4, 0, 1)], seed=1)
    bounds = experiments.group_key_bounds([(3, 0, 2), (4, 0, 3), (4, 1, 2)])
    assert [b.bound for b in bounds] == [b.theorem for b in bounds] == [1, 2, 1]
    leaks = experiments.infeasible_groups([(3, 0, 1), (4, 1, 1), (4, 0, 4)])
    assert [row.leak for row in leaks] == [1, 1, 2]
    bills = experiments.group_key_bills((2,), (0,), 5)
    pairs = [b for b in bills if b["keys"] == "groups of 2"]
    assert [b["total"] for b in pairs] == [3, 4, 5]
    assert [b["held"] for b in pairs] == [2, 2, 2]


def test_dropouts_graphs_and_partial_secrecy() -> None:
    (enough,) = experiments.dropout_schemes([(4, 3, 1)])
    assert enough.correct and enough.leak == 0 and enough.second_rate == enough.theorem == 1
    assert enough.leak_with_less >= 1 and enough.decoded_by_fewer == 0
    (row,) = experiments.totals_on_graphs(("ring4",), (2, 3), ("ring4",))
    assert row.degree == row.best == row.bound == row.by_hand == 2
    suspects = experiments.partial_secrecy()
    assert [(row.bound, row.scheme, row.correct) for row in suspects] == [
        (2, 2, True),
        (1, 1, True),
    ]
    code = experiments.block_code()
    assert code.bound == code.total_key == Fraction(3, 2)
    assert (code.scalar, code.symbols, code.correct, code.leak) == (2, 2, True, 0)


def test_training_is_the_same_in_the_open_and_through_the_protocol() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 200)
    features = rng.normal(size=(200, 4)) + 2 * np.eye(4)[labels]
    rows = experiments.train_securely(features, labels, FixedPoint(4), 5, (1, 2))
    assert [row.seed for row in rows] == [1, 2]
    assert all(0 < row.error_over_bound <= 1 + 1e-6 for row in rows)
    assert all(abs(row.plain - row.secure) < 1 for row in rows)


@between_processes
def test_bytes_ledgers_faults_and_intruders() -> None:
    row = experiments.bytes_on_the_wire(3, 2_000, seed=0)
    assert row.right and row.heard == 1 and row.framing == 64 / 16_000
    assert (row.least, row.most) in ((1, 1), (None, None))
    first, second = experiments.pad_named_twice(0)
    assert first.agreed and experiments.sessions.refused_by_ledger(second)
    assert not experiments.sessions.refused_by_ledger(first)
    faults = experiments.faults_injected(0, timeout=1.5)
    assert [f.fault for f in faults] == list(FAULTS) and all(f.as_promised for f in faults)
    for intruder in experiments.intruders_at_the_door(0, strays=20):
        assert intruder.finished and intruder.right


@between_processes
def test_every_forgery_of_the_page_is_refused() -> None:
    genuine = experiments.certificate_of_a_run(3, 0, seed=0)
    accepted, answer = experiments.judged_by_checker(genuine)
    assert accepted, answer
    found = experiments.forgeries(genuine)
    assert len(found) == 14 and not any(f.accepted for f in found)
    assert all(f.answer.startswith("does not hold: ") for f in found)


@between_processes
def test_times_are_kept_per_repetition() -> None:
    pace = experiments.paces(3, 1_000, seed=0, repetitions=2)
    ratio, (low, high) = pace.ratio("dealt", "none")
    assert 0 < low <= ratio <= high
    assert all(len(times) == 2 for times in pace.seconds.values())
    assert [row["masks"] for row in pace.milliseconds()] == ["dealt", "none", "pairwise"]


def test_an_interval_of_a_median_comes_from_ranks() -> None:
    assert median_interval([3.0, 1.0, 2.0, 5.0, 4.0]) == (1.0, 5.0)
    assert median_interval([float(n) for n in range(15)]) == (
        3,
        11,
    )  # 96.5 % by the binomial distribution
    with pytest.raises(ValueError, match="no entry"):
        median_interval([])


@between_processes
def test_mpyc_and_ours_add_the_same_vectors() -> None:
    pytest.importorskip("mpyc")
    race = experiments.mpyc_race(3, 50, seed=1, repetitions=2)
    assert len(race.theirs) == len(race.ours) == 2
    assert mpyc_inputs(3, 50, seed=1).shape == (3, 50)


def test_flower_is_audited_once_for_each_seed() -> None:
    pytest.importorskip("flwr")
    rows = experiments.audit_flower_masks((0, 1))
    assert [(row.folded_to_bits, row.missing_values) for row in rows] == [(32, "15")] * 2
    assert all(row.uniform_p < 1e-6 for row in rows)
