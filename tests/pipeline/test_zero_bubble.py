"""Zero-bubble schedules against the public scheduler's results."""

import csv

import numpy as np
import pytest

from quire.pipeline import (
    InfeasibleMemory,
    bubble_fraction,
    longest_span,
    peak_memory,
    uniform_program,
    violations,
    zb_1p,
    zb_2p,
    zb_v,
    zero_bubble,
)

from .conftest import GOLDEN

SCHEDULERS = {"zb1p": zb_1p, "zb2p": zb_2p, "zbv": zb_v}
CASES = list(csv.DictReader(GOLDEN.read_text().splitlines()))


def program_of(scheduler, p, m, t_f, t_b, t_w, t_comm):
    v = scheduler == "zbv"
    return uniform_program(
        p, m, t_f, t_b, t_w, hop=t_comm, memory=2.0, chunks=2 if v else 1,
        placement="v" if v else "loop",
    )  # fmt: skip


def solved(case):
    times = [float(case[name]) for name in ("t_f", "t_b", "t_w", "t_comm")]
    program = program_of(case["scheduler"], int(case["p"]), int(case["m"]), *times)
    return SCHEDULERS[case["scheduler"]](program)


def never_longer(cases):
    assert cases
    for case in cases:
        schedule, theirs = solved(case), float(case["longest_stage_time"])
        cap = {"zb1p": 2, "zb2p": 4, "zbv": 4}[case["scheduler"]] * float(case["p"])
        assert violations(schedule, np.full(int(case["p"]), cap)) == [], case
        assert longest_span(schedule) <= theirs, case
        if case["t_f"] == case["t_b"] == case["t_w"] and case["t_comm"] == "0":
            assert longest_span(schedule) == theirs, case


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_never_longer_than_the_public_scheduler(scheduler):
    never_longer([c for c in CASES if c["scheduler"] == scheduler and int(c["p"]) <= 8])


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_never_longer_than_the_public_scheduler_on_16_ranks(scheduler):
    never_longer([c for c in CASES if c["scheduler"] == scheduler and int(c["p"]) == 16])


@pytest.mark.parametrize(("p", "m"), [(4, 8), (4, 12), (8, 16)])
def test_equal_costs_have_the_bubbles_of_theory(p, m):
    """ZB-1P leaves (p−1)/(3m+p−1), ZB-2P and ZB-V nothing but the stagger of the ranks."""
    flat = {name: program_of(name, p, m, 1.0, 1.0, 1.0, 0.0) for name in SCHEDULERS}
    assert longest_span(zb_1p(flat["zb1p"])) == 3 * m + p - 1
    assert longest_span(zb_2p(flat["zb2p"])) == 3 * m
    assert longest_span(zb_v(flat["zbv"])) == 6 * m


def test_the_exact_bubble_of_zb_1p_is_not_a_third_of_1f1b():
    span = longest_span(zb_1p(program_of("zb1p", 4, 8, 1.0, 1.0, 1.0, 0.0)))
    assert 1 - 24 / span == pytest.approx(3 / 27)
    assert 1 - 24 / span > (3 / 11) / 3


def test_twice_the_memory_is_used_only_by_zb_2p():
    program = program_of("zb1p", 4, 12, 1.0, 1.0, 1.0, 0.0)
    assert peak_memory(zb_1p(program)).max() <= 2 * 4
    assert 2 * 4 < peak_memory(zb_2p(program)).max() <= 2 * 8


def test_bad_programs_are_refused():
    whole = uniform_program(2, 4, 1.0, 2.0)
    with pytest.raises(ValueError, match="split the backward"):
        zero_bubble(whole, np.full(2, 4.0))
    with pytest.raises(ValueError, match="one or two per rank"):
        zb_1p(uniform_program(2, 4, 1.0, 1.0, 1.0, chunks=3))
    with pytest.raises(InfeasibleMemory):
        zero_bubble(uniform_program(2, 4, 1.0, 1.0, 1.0), np.full(2, 0.5))


def test_it_is_deterministic():
    program = program_of("zb2p", 4, 8, 1000.0, 1200.0, 800.0, 50.0)
    first, second = zb_2p(program, seed=1), zb_2p(program, seed=1)
    np.testing.assert_array_equal(first.end, second.end)
    assert 0 < bubble_fraction(first) < 0.3
