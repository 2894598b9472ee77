"""Gauss-Jordan elimination in all its forms, against LAPACK and against each other."""

from typing import Any

import jax
import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import quire.circuits as qc
from quire.circuits.elimination import costs

TWO_THREADS = pytest.mark.skipif(
    int(vars(numba.config)["NUMBA_NUM_THREADS"]) < 2, reason="one processor: numba has one thread"
)


def system(n: int, seed: int, right: int = 2) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, n)), rng.standard_normal((n, right))


@settings(max_examples=25)
@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 10**6))
def test_all_forms_agree_with_lapack(n: int, block: int, seed: int) -> None:
    a, b = system(n, seed)
    right = np.linalg.solve(a, b)
    scale = np.linalg.cond(a) * 1e-13 * max(1.0, np.abs(right).max())
    for x in (
        qc.gauss_jordan(a, b).x,
        qc.gauss_jordan_blocked(a, b, block).x,
        qc.gauss_jordan_threads(a, b, 1),
    ):
        assert np.abs(x - right).max() <= scale


@TWO_THREADS
def test_threads_do_not_change_a_bit() -> None:
    a, b = system(97, 5)
    alone, together = (qc.gauss_jordan_threads(a, b, p) for p in (1, 2))
    assert np.array_equal(alone, together)


@pytest.mark.parametrize("devices", [1, 2])
def test_devices_give_the_same(devices: int) -> None:
    a, b = system(23, 6)
    mesh = jax.sharding.Mesh(np.array(jax.devices("cpu")[:devices]), ("rows",))
    np.testing.assert_allclose(
        qc.gauss_jordan_sharded(a, b, mesh), np.linalg.solve(a, b), rtol=1e-9
    )


def test_complex_systems_and_inverse() -> None:
    a, b = system(12, 7)
    z = a + 1j * system(12, 8)[0]
    np.testing.assert_allclose(z @ qc.gauss_jordan(z, b).x, b, atol=1e-12)
    np.testing.assert_allclose(z @ qc.gauss_jordan_blocked(z, b, 5).x, b, atol=1e-12)
    np.testing.assert_allclose(qc.inverse(a) @ a, np.eye(12), atol=1e-12)


def test_a_zero_on_the_diagonal_is_no_obstacle() -> None:
    a = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert qc.gauss_jordan(a, np.array([2.0, 3.0])).x.tolist() == [3.0, 2.0]
    assert qc.gauss_jordan_blocked(a, np.array([2.0, 3.0])).x.tolist() == [3.0, 2.0]


def test_swapping_at_zero_only_loses_digits() -> None:
    a, b = np.array([[1e-14, 1.1], [1.3, 0.7]]), np.array([0.9, 2.3])
    right = np.linalg.solve(a, b)
    careful, careless = (qc.gauss_jordan(a, b, pivoting=p) for p in ("partial", "zero-only"))
    assert np.abs(careful.x - right).max() < 1e-14
    assert np.abs(careless.x - right).max() > 1e-4
    assert careless.growth > 1e13
    assert careful.growth < 2


@pytest.mark.parametrize(
    "solve",
    [
        lambda a, b: qc.gauss_jordan(a, b),
        lambda a, b: qc.gauss_jordan_blocked(a, b),
        lambda a, b: qc.gauss_jordan_threads(a, b, 1),
        pytest.param(lambda a, b: qc.gauss_jordan_threads(a, b, 2), marks=TWO_THREADS),
    ],
    ids=["plain", "blocked", "alone", "together"],
)
def test_bad_arguments(solve: Any) -> None:
    with pytest.raises(qc.SingularCircuit):
        solve(np.ones((2, 2)), np.ones(2))
    with pytest.raises(ValueError, match="square"):
        solve(np.ones((2, 3)), np.ones(2))
    with pytest.raises(ValueError, match="square"):
        solve(np.ones((0, 0)), np.ones(0))
    with pytest.raises(ValueError, match="rows"):
        solve(np.eye(2), np.ones(3))
    with pytest.raises(ValueError, match="finite"):
        solve(np.array([[np.nan]]), np.ones(1))
    with pytest.raises(ValueError, match="numbers"):
        solve(np.array([[True]]), np.ones(1))


def test_integers_are_promoted() -> None:
    assert qc.gauss_jordan(np.array([[2, 0], [0, 4]]), np.array([1, 1])).x.tolist() == [0.5, 0.25]


def varying(n: int, m: int, seed: int) -> tuple[Any, Any, Any, Any]:
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((n, n)), rng.standard_normal(n)
    rows = np.zeros(n, bool)
    rows[rng.choice(n, m, replace=False)] = True
    return a, b, rows, rng


@settings(max_examples=25)
@given(st.integers(2, 30), st.integers(0, 10**6), st.booleans())
def test_reduction_is_exact(n: int, seed: int, everywhere: bool) -> None:
    m = 1 + seed % (n - 1)
    a, b, rows, rng = varying(n, m, seed)
    columns = np.ones(n, bool) if everywhere else rng.permutation(np.arange(n) < m)
    reduction = qc.reduce_constant_rows(a, rows, columns)
    changed = a.copy()
    changed[np.ix_(rows, columns)] += rng.standard_normal((m, int(columns.sum())))
    right = np.linalg.solve(changed, b)
    x = qc.solve_reduced(reduction, changed[rows], b)
    room = 1e-10 * np.linalg.cond(changed) * (1 + reduction.largest_weight) * reduction.condition
    assert np.abs(x - right).max() <= room * max(1.0, np.abs(right).max())


def test_the_bound_of_the_reduced_condition_holds() -> None:
    for seed in range(20):
        a, _, rows, _ = varying(12, 4, seed)
        reduction = qc.reduce_constant_rows(a, rows)
        schur, weights = reduction.S0, np.linalg.norm(reduction.W, 2)
        assert np.linalg.norm(np.linalg.inv(schur), 2) <= np.linalg.norm(np.linalg.inv(a), 2) * (
            1 + 1e-9
        )
        assert np.linalg.cond(schur) <= np.linalg.cond(a) * (1 + weights) * (1 + 1e-9)


def test_dependent_constant_rows_are_refused() -> None:
    a = np.eye(4)
    a[1] = 2 * a[0]
    with pytest.raises(qc.SingularCircuit, match="constant rows"):
        qc.reduce_constant_rows(a, np.array([False, False, True, True]))
    with pytest.raises(ValueError, match="nothing would be left"):
        qc.reduce_constant_rows(np.eye(2), np.zeros(2, bool))


def test_low_rank_changes() -> None:
    a, b, _, rng = varying(15, 3, 1)
    u, g = rng.standard_normal((15, 2)), np.array([0.0, 3.0])
    x = qc.LowRank(a, u, u).solve(g, b)
    np.testing.assert_allclose(x, np.linalg.solve(a + u @ np.diag(g) @ u.T, b), rtol=1e-9)


def test_operations_are_counted() -> None:
    """The counts of the formulas, against a count made while eliminating."""
    for n in (1, 2, 5, 9):
        done = sum((n - 1) * 2 * (n - k + 1) + (n - k + 1) for k in range(n))
        assert costs.full_flops(n) == done
    assert costs.full_flops(400) == pytest.approx(400**3, rel=0.02)
    assert costs.break_even(100, 100, coupled=True) == np.inf
    assert costs.crossover(1e-9, 2e-6) == pytest.approx(np.sqrt(4e3))
    assert costs.threads_time(100, 2, 1e-9, 1e-6) == pytest.approx(0.5e-3 + 1e-4)
    with pytest.raises(ValueError, match="n = 4"):
        costs.break_even(4, 5, coupled=True)
