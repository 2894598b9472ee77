"""Schedules a second, beside what else can make or evaluate them, in one session."""

import numpy as np
import pytest

from quire.pipeline import (
    ListScheduler,
    emulate,
    lower_bound,
    makespans,
    ranked_key,
    solve_exactly,
    staged_program,
    swap_search,
    tree_search,
    uniform_program,
    zb_2p,
    zb_v,
)
from quire.pipeline.peers.mctx import mctx_search

SCHEDULES = 2000


@pytest.fixture(scope="module")
def program():
    """1,024 operations: 32 microbatches, 4 ranks, 4 chunks."""
    return uniform_program(4, 32, 1.0, 1.0, chunks=4)


@pytest.fixture(scope="module")
def uneven():
    """A step that is worth searching: microbatches of different sizes."""
    times = np.random.default_rng(0).gamma(2.0, size=(16, 1)) * np.ones((16, 8))
    return ListScheduler(staged_program(times, 2 * times, 0 * times, 4))


def in_python(program, order):
    """The same recursion in plain Python: what the compiled kernel replaces."""
    rank, duration, dep_ptr = (
        column.tolist() for column in (program.rank, program.duration, program.dep_ptr)
    )
    dep, lag = program.dep.tolist(), program.lag.tolist()
    end, free = [0.0] * len(rank), [0.0] * program.ranks
    for i in order:
        start = free[rank[i]]
        for a in range(dep_ptr[i], dep_ptr[i + 1]):
            start = max(start, end[dep[a]] + lag[a])
        end[i] = free[rank[i]] = start + duration[i]
    return max(end)


@pytest.mark.benchmark(group="one order of 1,024 operations")
@pytest.mark.parametrize("how", ["python", "compiled"])
def test_one_order(benchmark, program, how):
    order = ListScheduler(program).run(ranked_key(program, program.microbatch.astype(float))).order
    if how == "python":
        assert benchmark(in_python, program, order.tolist()) == emulate(program, order).makespan
    else:
        benchmark(emulate, program, order)


@pytest.mark.benchmark(group=f"{SCHEDULES} orders of 1,024 operations")
@pytest.mark.parametrize("threads", [1, 2])
def test_many_orders(benchmark, program, threads):
    order = ListScheduler(program).run(ranked_key(program, program.microbatch.astype(float))).order
    orders = np.tile(order.astype(np.int32), (SCHEDULES, 1))
    benchmark(makespans, program, orders, threads=threads)


@pytest.mark.benchmark(group="list scheduling of 1,024 operations")
def test_list_scheduling(benchmark, program):
    scheduler = ListScheduler(program)
    benchmark(scheduler.makespan, ranked_key(program, program.microbatch.astype(float)))


@pytest.mark.benchmark(group="zero bubble, 8 ranks, 32 microbatches")
@pytest.mark.parametrize("name", ["zb2p", "zbv"])
def test_zero_bubble(benchmark, name):
    """The public scheduler's own seconds for these sizes are in the golden file's last column."""
    v = name == "zbv"
    program = uniform_program(
        8, 32, 11347.0, 11248.0, 8132.0, hop=377.0, memory=2.0, chunks=2 if v else 1,
        placement="v" if v else "loop",
    )  # fmt: skip
    benchmark.pedantic(zb_v if v else zb_2p, args=(program,), rounds=2, warmup_rounds=1)


@pytest.mark.benchmark(group="search, 100 evaluations")
@pytest.mark.parametrize("search", [swap_search, tree_search])
def test_search(benchmark, uneven, search):
    found = benchmark(search, uneven, evaluations=100, epsilon=0.0)
    benchmark.extra_info["over bound"] = found.schedule.makespan / found.bound


@pytest.mark.benchmark(group="search, 100 evaluations")
def test_mctx(benchmark, uneven):
    pytest.importorskip("mctx")
    found = benchmark.pedantic(mctx_search, args=(uneven,), kwargs={"evaluations": 100}, rounds=1)
    benchmark.extra_info["over bound"] = found.schedule.makespan / found.bound


@pytest.mark.benchmark(group="search, 100 evaluations")
def test_solver(benchmark):
    pytest.importorskip("ortools")
    program = uniform_program(3, 4, 1.0, 2.0)
    hint = swap_search(ListScheduler(program), evaluations=10).schedule
    best = benchmark.pedantic(solve_exactly, args=(program, hint), rounds=1)
    assert best.bound == lower_bound(program).value
