"""Arguments of other kinds: the same answer where they mean the same, else refused by name."""

from collections.abc import Callable
from math import inf, nan
from typing import Any

import numpy as np
import pytest

import quire.circuits as qc

pytestmark = pytest.mark.usefixtures("unchecked_types")

LOWPASS = qc.read_deck("t\nv1 in 0 dc 1 ac 1\nr1 in out 1k\nc1 out 0 1u\n.tran 10u 1m\n.end\n")
NETWORK = [qc.Branch("a", "0", "1", 1.0, 1.0), qc.Branch("b", "0", "1", 2.0)]
BEYOND = [[1e308, 1e308], [1e308, -1e308]]


@pytest.mark.parametrize(
    ("call", "named"),
    [
        *((lambda x=x: qc.Transient(x, 1e-3), f"step = {x}") for x in (nan, inf, 0, -1, None)),
        *((lambda x=x: qc.Transient(1e-6, x), f"stop = {x}") for x in (nan, inf, 0, None)),
        *((lambda x=x: qc.Transient(1e-6, 1e-3, x), f"start = {x}") for x in (nan, -1, 1)),
        (lambda: qc.Transient(1e-6, 1e-3, longest=0), "longest = 0"),
        (lambda: qc.Transient(1e-300, 1e-3), "step = 1e-300: at most"),
        (lambda: qc.solve_transient(LOWPASS, longest=1e-300), "longest = 1e-300: at most"),
        (lambda: qc.AcSweep("log", 3, 1, 10), "spacing = 'log'"),
        *((lambda x=x: qc.AcSweep("dec", x, 1, 10), f"points = {x}") for x in (0, 2.5, nan)),
        *((lambda x=x: qc.AcSweep("dec", 3, x, 10), f"start = {x}") for x in (nan, 0, 20)),
        *((lambda x=x: qc.Sweep("v1", 0, 1, x), f"step = {x}") for x in (nan, 0, -1)),
        (lambda: qc.Sweep("v1", 0, 1e9, 0.5), "step = 0.5: at most"),
        (lambda: qc.Sweep("temp", -300, 0, 10), "temp = -300"),
        (lambda: qc.DcSweep(()), "sweeps"),
        (lambda: qc.Tolerances(reltol=nan), "reltol"),
        (lambda: qc.Tolerances(iterations=0), "iterations"),
        (lambda: qc.solve_op(None), "circuit = None"),
        (lambda: qc.solve_branches([qc.Branch("a", "0", "1", "x")]), "impedance = 'x'"),
        (lambda: qc.solve_branches([None]), r"branches\[0\] = None"),
        (lambda: qc.inverse("x"), "a = "),
        (lambda: qc.parse_number(3), "text = 3"),
        (lambda: qc.parse_number("\u0661"), "must be a number"),
        (lambda: qc.draw_values((), 2**70, 0.1, 0), "count"),
        (lambda: qc.rise_time([0, 1], [0, 1], 0.9, 0.1), "low = 0.9"),
        (lambda: qc.rise_time([0, 1, 2], [0, 1]), "times"),
        (lambda: qc.rise_time([0, 1], [0, 1], nan), "low"),
    ],
)
def test_what_is_no_such_argument_is_refused_by_name(call: Callable[[], Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        call()


@pytest.mark.parametrize(
    "solve",
    [
        lambda a, b: qc.gauss_jordan(a, b).x,
        lambda a, b: qc.gauss_jordan_blocked(a, b, 1).x,
        lambda a, b: qc.gauss_jordan_threads(a, b, threads=1),
        lambda a, b: qc.inverse(a),
    ],
)
@pytest.mark.parametrize("a", [BEYOND, [[1e-320, 0.0], [0.0, 1.0]]])
def test_numbers_beyond_the_doubles_are_no_solution(solve: Callable[..., Any], a: Any) -> None:
    with pytest.raises(qc.SingularCircuit, match="beyond the doubles"):
        solve(a, [1.0, 2.0])


def test_an_iterator_of_branches_is_a_network() -> None:
    assert qc.solve_branches(iter(NETWORK)) == qc.solve_branches(NETWORK)
    for one, other in zip(
        qc.nodal_equations(iter(NETWORK)), qc.nodal_equations(NETWORK), strict=True
    ):
        assert np.array_equal(one, other)


def test_an_output_that_was_not_recorded_has_no_gradient() -> None:
    batch = qc.prepare(LOWPASS, iter(["out"]), iter(["r1"]), 1e-4)
    assert batch.outputs == ("out",)
    for call in (qc.measure_and_gradient, qc.differences):
        with pytest.raises(ValueError, match="output = 1"):
            call(batch, lambda times, wave: wave[-1], output=1)


def test_the_rise_of_a_listed_wave() -> None:
    assert qc.rise_time([0, 1, 2], [0, 1, 2]) == pytest.approx(1.6)
    assert qc.rise_time(np.arange(3), np.arange(3, dtype=np.int8)) == pytest.approx(1.6)
