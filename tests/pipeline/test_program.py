"""Programs: what waits for what, and what is refused."""

import networkx
import numpy as np
import pytest
from hypothesis import given, settings

from quire.pipeline import Chain, assemble, list_schedule, topological_order

from .steps import step_programs


def chain(**changes):
    ones = np.ones(2)
    given = {
        "microbatch": 0, "module": 0, "piece": 0, "stage": 0, "path": (0, 1), "forward": ones,
        "backward": ones, "weight": 0 * ones, "memory": ones,
    }  # fmt: skip
    return Chain(**{**given, **changes})


@settings(max_examples=30)
@given(step_programs())
def test_operations_are_numbered_topologically_and_arcs_agree(program):
    target = np.repeat(np.arange(program.operations), np.diff(program.dep_ptr))
    source = np.repeat(np.arange(program.operations), np.diff(program.succ_ptr))
    assert (program.dep < target).all()
    there = sorted(zip(program.dep.tolist(), target.tolist(), program.lag.tolist(), strict=True))
    back = sorted(
        zip(source.tolist(), program.succ.tolist(), program.succ_lag.tolist(), strict=True)
    )
    assert there == back
    assert program.acquired.sum() == pytest.approx(program.released.sum())


def test_a_vision_backward_waits_for_the_language_backward_on_rank_0():
    vision = chain()
    language = chain(module=1, stage=2, feeds_on=(0,), forward=np.full(2, 5.0))
    program = assemble([vision, language], 2)
    schedule = list_schedule(program)

    def when(module, kind, rank, column):
        rows = (program.module == module) & (program.kind == kind) & (program.rank == rank)
        return column[rows][0]

    assert when(1, 0, 0, schedule.start) >= when(0, 0, 1, schedule.end)
    assert when(0, 1, 1, schedule.start) >= when(1, 1, 0, schedule.end)


def test_hops_are_paid_between_ranks_only():
    apart = list_schedule(assemble([chain(hop=3.0)], 2)).makespan
    together = list_schedule(assemble([chain(hop=3.0, path=(1, 1))], 2)).makespan
    assert (apart, together) == (4 + 2 * 3, 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"forward": np.array([1.0, -1.0])}, "forward of chain 0"),
        ({"backward": np.array([np.nan, 1.0])}, "backward of chain 0"),
        ({"path": (0, 1, 0)}, "forward of chain 0 has 2 entries"),
        ({"path": (0, 2)}, "path of chain 0 = 2: must be an integer, from 0 to 1"),
        ({"feeds_on": (4,)}, "feeds_on of chain 0 = 4: must be an integer, from 0 to 0"),
        ({"feeds_on": (0,)}, "cyclic"),
        ({"hop": -1.0}, "hop of chain 0"),
        (
            {"path": (), **{k: np.ones(0) for k in ("forward", "backward", "weight", "memory")}},
            "path of chain 0 is empty",
        ),
    ],
)
def test_bad_chains_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        assemble([chain(**changes)], 2)


def test_empty_and_cyclic_programs():
    with pytest.raises(ValueError, match="chains is empty"):
        assemble([], 2)
    with pytest.raises(ValueError, match="ranks = 0"):
        assemble([chain()], 0)
    with pytest.raises(ValueError, match="cyclic"):
        topological_order(2, np.array([0, 1]), np.array([1, 0]))


@pytest.mark.parametrize("seed", range(5))
def test_the_order_is_the_lexicographically_first(seed):
    rng = np.random.default_rng(seed)
    ends = rng.integers(0, 30, (60, 2))
    ends = np.sort(ends[ends[:, 0] != ends[:, 1]], axis=1)
    names = rng.permutation(30)  # so that arcs lead to smaller numbers, too
    source, target = names[ends.T]
    graph = networkx.DiGraph(zip(source.tolist(), target.tolist(), strict=True))
    graph.add_nodes_from(range(30))
    wanted = [*networkx.lexicographical_topological_sort(graph)]
    assert topological_order(30, source, target).tolist() == wanted
