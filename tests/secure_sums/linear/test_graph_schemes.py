import numpy as np
import pytest

from quire.secure_sums import (
    AggregationProblem,
    best_scheme,
    circulant,
    connected_graphs,
    correct,
    everyone_wants_everything,
    key_gap,
    multi_server_key_rate,
    named_graph,
    neighbourhood_sums,
    prism,
    problem_leakage,
    problem_protocol,
    rank,
    regular_graph_region,
    ring,
)
from quire.secure_sums.linear.graph_schemes import counted_columns
from quire.secure_sums.linear.ranks import null_space


@pytest.mark.parametrize(
    ("graph", "q"),
    [(ring(4), 3), (ring(5), 3), (ring(6), 2), (prism(3), 5), (circulant(5, (1, 2)), 3)],
)
def test_regular_graphs_need_as_many_key_symbols_as_neighbours(graph: np.ndarray, q: int) -> None:
    degree = int(graph[0].sum())
    problem = neighbourhood_sums(graph)
    scheme = best_scheme(problem, q, at_least=degree)
    assert scheme is not None
    protocol = problem_protocol(problem, scheme, q)
    assert correct(protocol).all() and problem_leakage(problem, protocol).worst.symbols == 0
    assert rank(scheme, q) == scheme.shape[1] == regular_graph_region(degree).total_key


def test_counting_alone_never_exceeds_what_a_scheme_needs() -> None:
    for name in ("ring3", "ring4", "ring5", "complete4"):
        problem = neighbourhood_sums(named_graph(name))
        assert 1 <= counted_columns(problem) <= regular_graph_region(problem_degree(name)).total_key
    pair = everyone_wants_everything(4, [1])
    assert counted_columns(pair) == 1 and counted_columns(everyone_wants_everything(4, [0])) == 2


def problem_degree(name: str) -> int:
    return int(named_graph(name)[0].sum())


def test_graphs_have_names() -> None:
    assert [int(named_graph(n).sum()) // 2 for n in ("path3", "ring5", "complete4", "prism6")] == [
        2,
        5,
        6,
        9,
    ]
    for name in ("ring", "wheel5", "prism5", "5", ""):
        with pytest.raises(ValueError, match="name = "):
            named_graph(name)


def test_the_complete_graph_closes_the_gap() -> None:
    found = key_gap(everyone_wants_everything(4, range(2)), 3)
    assert (found.bound, found.achieved, found.gap) == (3, 3, 0)


@pytest.mark.parametrize(("coalitions", "least"), [(((0, ()),), 2), (((0, (1,)), (1, (0,))), 1)])
def test_fewer_suspects_need_less_key(coalitions: tuple, least: int) -> None:
    whole = everyone_wants_everything(4, [0])
    found = key_gap(AggregationProblem(whole.hears, whole.wants, coalitions), 3)
    assert (found.bound, found.achieved, found.gap) == (least, least, 0)


def test_a_ring_closes_the_gap() -> None:
    found = key_gap(neighbourhood_sums(ring(4)), 2)
    assert (found.bound, found.achieved, found.gap) == (2, 2, 0)


def test_a_path_has_no_scalar_scheme() -> None:
    path = np.diag(np.ones(3, dtype=bool), 1)
    assert best_scheme(neighbourhood_sums(path | path.T), 3) is None


def test_graphs_are_listed_once_each() -> None:
    assert [len(connected_graphs(k)) for k in (3, 4)] == [2, 6]
    with pytest.raises(ValueError, match="users = 6: must be an integer, from 3 to 5"):
        connected_graphs(6)


@pytest.mark.parametrize("q", [2, 3, 7])
def test_null_spaces_are_whole(q: int) -> None:
    matrix = np.random.default_rng(q).integers(0, q, (4, 6))
    basis = null_space(matrix, q)
    assert not (matrix @ basis % q).any()
    assert basis.shape[1] == 6 - rank(matrix, q) == rank(basis, q)


def test_wishes_beyond_earshot_and_bad_graphs_are_refused() -> None:
    problem = everyone_wants_everything(3, [0])
    deaf = type(problem)(((False,) * 3,) * 3, problem.wants, problem.coalitions)
    with pytest.raises(ValueError, match="does not hear it"):
        best_scheme(deaf, 3)
    with pytest.raises(ValueError, match="a prime is needed"):
        best_scheme(problem, 4)
    with pytest.raises(ValueError, match="no circulant graph"):
        circulant(4, (4,))
    with pytest.raises(ValueError, match="sum itself"):
        regular_graph_region(1)


def test_multi_server_rate() -> None:
    assert [multi_server_key_rate(3, 4, t) for t in (0, 1, 20)] == [5, 6, 11]
    with pytest.raises(ValueError, match="servers = 0: must be"):
        multi_server_key_rate(0, 4, 0)
