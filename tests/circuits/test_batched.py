"""The batched program: the waves of the reference engine, lane by lane, and true derivatives."""

import numpy as np
import pytest

import quire.circuits as qc
from quire.circuits.batched.reduced import gauss_jordan_lanes, independent_directions

DECK = """rectifier
v1 in 0 sin(0 5 1k)
d1 in out dm
r1 out 0 1k
c1 out 0 1u
.model dm d(is=1e-14 cjo=10p tt=5n)
.options reltol=1e-7 abstol=1e-14 vntol=1e-9
.tran 5u 1m
"""


@pytest.fixture(scope="module")
def batch() -> qc.Batch:
    return qc.prepare(qc.read_deck(DECK), ["out", "in,out"], ["r1", "c1", "d1.is"], 5e-6)


def test_lanes_equal_the_reference_engine(batch: qc.Batch) -> None:
    values = {"r1": [1000.0, 700.0], "c1": [1e-6, 1.3e-6], "d1.is": [1e-14, 3e-14]}
    variants = qc.run_variants(batch, {k: np.array(v) for k, v in values.items()}, chunk=2)
    assert variants.converged.all()
    for k, deck in enumerate(
        (
            DECK,
            DECK.replace("1k\nc1 out 0 1u", "700\nc1 out 0 1.3u").replace("is=1e-14", "is=3e-14"),
        )
    ):
        single = qc.solve_transient(qc.read_deck(deck), fixed=True)
        np.testing.assert_allclose(single.axis, variants.times, rtol=1e-9)
        np.testing.assert_allclose(variants.waves[:, 0, k], single.voltage("out"), atol=5e-6)
        np.testing.assert_allclose(variants.waves[:, 1, k], single.voltage("in", "out"), atol=5e-6)


def test_chunks_and_threads_change_nothing(batch: qc.Batch) -> None:
    values = qc.draw_values(batch.varied, 5, 0.2, 1)
    whole = qc.run_variants(batch, values, chunk=2, threads=2)
    again = qc.run_variants(batch, values, chunk=2, threads=1)
    assert np.array_equal(whole.waves, again.waves)


def test_derivatives_equal_differences(batch: qc.Batch) -> None:
    def last(times: object, wave: object) -> object:
        return wave[-1]  # type: ignore[index]

    _, slopes = qc.measure_and_gradient(batch, last)
    for name, slope in qc.differences(batch, last).items():
        assert slopes[name] == pytest.approx(slope, rel=1e-4)


def test_the_rise_time_of_an_rc_circuit() -> None:
    deck = "t\nv1 in 0 pulse(0 1 0 1n)\nr1 in out 1k\nc1 out 0 1n\n.tran 10n 20u\n"
    batch = qc.prepare(qc.read_deck(deck), ["out"], ["r1", "c1"], 10e-9)
    seconds, slopes = qc.measure_and_gradient(batch, qc.rise_time)
    assert seconds == pytest.approx(np.log(9) * 1e-6, rel=1e-4)
    assert slopes["r1"] == pytest.approx(np.log(9) * 1e-9, rel=5e-3)
    assert slopes["c1"] == pytest.approx(np.log(9) * 1e3, rel=5e-3)


def test_small_systems_side_by_side() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((4, 4, 7)), rng.standard_normal((4, 7))
    a[0, 0] = 0.0
    x = np.asarray(gauss_jordan_lanes(a, b))
    for k in range(7):
        np.testing.assert_allclose(x[:, k], np.linalg.solve(a[..., k], b[:, k]), rtol=1e-9)


def test_directions_span_what_moves() -> None:
    rng = np.random.default_rng(1)
    reach = rng.standard_normal((5, 2)) @ rng.standard_normal((2, 9))
    basis = independent_directions(np.column_stack([reach, np.zeros(5)]))
    assert basis.shape == (5, 2)
    np.testing.assert_allclose(basis @ basis.T @ reach, reach, atol=1e-12)
    assert independent_directions(np.zeros((3, 4))).shape == (3, 0)


def test_bad_requests(batch: qc.Batch) -> None:
    circuit = qc.read_deck(DECK)
    for varied, says in ((["r9"], "r9"), (["r1", "r1"], "twice"), (["d1.bf"], "may vary")):
        with pytest.raises(qc.CircuitError, match=says):
            qc.prepare(circuit, ["out"], varied, 5e-6)
    with pytest.raises(KeyError, match="nowhere"):
        qc.prepare(circuit, ["nowhere"], ["r1"], 5e-6)
    with pytest.raises(ValueError, match="positive finite"):
        qc.prepare(circuit, ["out"], ["r1"], 0.0)
    good = qc.draw_values(batch.varied, 2, 0.1, 0)
    for bad, says in (
        ({"r1": good["r1"]}, "must be those of"),
        (good | {"r1": np.array([1.0, -1.0])}, "positive"),
        (good | {"r1": np.array([1.0, np.nan])}, "positive"),
        (good | {"r1": np.array([1.0])}, "as many"),
        (good | {"r1": np.array([True, True])}, "list of numbers"),
    ):
        with pytest.raises(ValueError, match=says):
            qc.run_variants(batch, bad)
    with pytest.raises(ValueError, match="spread"):
        qc.draw_values(batch.varied, 2, 1.0, 0)
