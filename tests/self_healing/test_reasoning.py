"""Causal graphs: discovery, PC, the Hawkes model, priors, merged graphs and ranks."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.self_healing import (
    Edge,
    Prior,
    acyclic_part,
    corrupt_priors,
    cyclicity,
    discover,
    discover_by_lbfgs,
    discovery_problem,
    distinct_columns,
    edge_scores,
    edges_of,
    fit_hawkes,
    is_acyclic,
    merge_edges,
    pc,
    penalty_mask,
    root_rank,
    simulate_hawkes,
    simulate_process,
    standardised,
)
from quire.self_healing.reasoning.dynotears import objective
from quire.self_healing.reasoning.hawkes import excitation_history

NAMES = ["a", "b", "c", "d", "e"]


def test_discovery_agrees_with_lbfgs() -> None:
    for seed in (1, 2):
        process = simulate_process(8, 300, seed)
        problem = discovery_problem(standardised(process.X))
        ours, theirs = discover(problem), discover_by_lbfgs(problem)
        assert is_acyclic(ours.W != 0)
        assert np.diag(ours.W).tolist() == [0.0] * 8
        assert ours.objective <= theirs.objective * 1.01
        assert ours.objective == pytest.approx(objective(problem, ours.W, ours.A))


def test_discovery_finds_a_strong_chain() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((2000, 3)) * [1.0, 0.3, 0.3]
    X = np.zeros_like(noise)
    X[:, 0] = noise[:, 0]
    X[:, 1] = 1.5 * X[:, 0] + noise[:, 1]
    X[1:, 2] = 1.2 * X[:-1, 1] + noise[1:, 2]
    found = discover(discovery_problem(X - X.mean(axis=0), 0.01, 0.01))
    assert found.W[0, 1] == pytest.approx(1.5, abs=0.1)
    assert found.A[1, 2] == pytest.approx(1.2, abs=0.1)
    assert np.abs(found.W[1, 0]) < 0.05


def test_the_objective_is_the_formula() -> None:
    rng = np.random.default_rng(1)
    X, W, A = rng.standard_normal((50, 4)), rng.standard_normal((4, 4)), rng.standard_normal((4, 4))
    mask = np.full((4, 4), 2.0)
    problem = discovery_problem(X, 0.1, 0.2, mask, None)
    left = X[1:] - X[1:] @ W - X[:-1] @ A
    right = (left**2).sum() / (2 * 49) + 0.2 * np.abs(W).sum() + 0.2 * np.abs(A).sum()
    assert objective(problem, W, A) == pytest.approx(right)


def test_cyclicity_and_its_gradient() -> None:
    W = np.array([[0.0, 0.5, 0.0], [0.0, 0.0, 0.4], [0.3, 0.0, 0.0]])
    value, gradient = cyclicity(W)
    assert value > 0
    assert cyclicity(np.triu(np.ones((3, 3)), 1))[0] == pytest.approx(0.0)
    for i, j in ((0, 1), (2, 0), (1, 0)):
        step = np.zeros((3, 3))
        step[i, j] = 1e-6
        slope = (cyclicity(W + step)[0] - cyclicity(W - step)[0]) / 2e-6
        assert gradient[i, j] == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"X": np.array([[1.0, np.nan]] * 5)}, "non-finite"),
        ({"X": np.ones((2, 2))}, "2 bins"),
        ({"X": np.ones(4)}, "shape"),
        ({"lam_w": -1.0}, "lam_w"),
        ({"lam_a": float("nan")}, "lam_a"),
        ({"mask_w": np.ones((3, 3))}, "mask_w"),
        ({"mask_a": -np.ones((2, 2))}, "mask_a"),
    ],
)
def test_a_problem_refuses(change: dict[str, object], words: str) -> None:
    arguments: dict[str, object] = {"X": np.random.default_rng(0).standard_normal((9, 2)), **change}
    with pytest.raises(ValueError, match=words):
        discovery_problem(**arguments)  # type: ignore[arg-type]


def test_integers_and_constant_series_are_taken() -> None:
    counts = np.random.default_rng(0).poisson(2.0, (60, 3))
    counts[:, 2] = 4
    X = standardised(counts)
    assert X[:, 2].tolist() == [0.0] * 60
    np.testing.assert_allclose(X[:, :2].std(axis=0), 1.0)
    assert distinct_columns(np.column_stack([counts, counts[:, 0]])) == ([0, 1], {2: -1, 3: 0})
    assert np.isfinite(standardised(np.array([[1e300, 1.0], [-1e300, 2.0]]))).all()


@settings(max_examples=60)
@given(st.integers(1, 6), st.integers(0, 10_000))
def test_the_acyclic_part_has_no_cycle_and_is_maximal(d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    W = np.round(rng.standard_normal((d, d)), 1) * (rng.random((d, d)) < 0.6)
    part = acyclic_part(W)
    assert is_acyclic(part != 0)
    for i, j in np.argwhere((W != 0) & (part == 0)).tolist():
        more = part != 0
        more[i, j] = True
        assert not is_acyclic(more)


def test_edges_are_scored_by_hand() -> None:
    true = np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]])
    found = np.array([[0, 0.9, 0.05], [0, 0, 0], [0, 0.4, 0]])
    scores = edge_scores(found, true, 0.1)
    assert (scores.precision, scores.recall, scores.f1) == (0.5, 0.5, 0.5)
    assert scores.hamming == 1  # one edge to turn
    assert edge_scores(0 * found, true).f1 == 0
    assert edge_scores(0 * found, 0 * true).f1 == 1


def test_pc_finds_a_collider_and_a_chain() -> None:
    rng = np.random.default_rng(3)
    a, b, e = rng.standard_normal((3, 3000))
    c = a + b + 0.5 * e
    d = c + rng.standard_normal(3000)
    found = pc(np.column_stack([a, b, c, d]), 0.01)
    wanted = np.zeros((4, 4), dtype=bool)
    wanted[0, 2] = wanted[1, 2] = wanted[2, 3] = True
    assert (found.marks == wanted).all()
    chain = np.column_stack([a, a + e, a + e + b])
    plain = pc(chain, 0.01)
    assert (plain.marks == plain.marks.T).all()
    known = pc(chain, 0.01, forbidden=[(1, 0)])
    assert known.marks[0, 1] and not known.marks[1, 0]
    assert known.marks[1, 2] and not known.marks[2, 1]  # Meek's first rule


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.ones((9, 2)), "constant"),
        (np.column_stack([np.arange(9.0), 3 * np.arange(9.0)]), "equal but for scale"),
        (np.full((9, 2), np.nan), "non-finite"),
    ],
)
def test_pc_refuses(X: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        pc(X)


def test_the_hawkes_model_finds_who_excites_whom() -> None:
    mu, a = np.array([0.4, 0.1, 0.1]), np.array([[0, 0.5, 0], [0, 0, 0.5], [0, 0, 0]])
    counts = simulate_hawkes(mu, a, 1.0, 2500, seed=1)
    found = fit_hawkes(counts)
    assert found.a[0, 1] > 0.3
    assert found.a[1, 2] > 0.3
    assert found.a[2, 0] < 0.1
    assert (found.a >= 0).all()
    history = excitation_history(counts[:6], 0.7)
    for t in range(6):
        direct = sum((0.7 * np.exp(-0.7 * (t - s - 1)) * counts[s] for s in range(t)), np.zeros(3))
        np.testing.assert_allclose(history[t], direct, atol=1e-5)
    with pytest.raises(ValueError, match="spectral radius"):
        simulate_hawkes(mu, 9 * a.T @ a + a, 1.0, 5, seed=0)
    with pytest.raises(ValueError, match="counts"):
        fit_hawkes(-counts)


def test_masks_of_priors() -> None:
    priors = [Prior("a", "b"), Prior("b", "c", "curated"), Prior("b", "c")]
    mask = penalty_mask(["a", "b", "c"], priors, other=["c"])
    assert mask[0, 1] == 0.4 and mask[1, 0] == 3.0
    assert mask[1, 2] == 0.4 or mask[1, 2] == 0.2
    assert mask[1, 2] == 0.2  # curated counts before symbolic
    assert mask[2, 0] == 2.0 and mask[2, 1] == 3.0
    for wrong in ([Prior("a", "z")], [Prior("a", "a")], [Prior("a", "b", "guessed")]):
        with pytest.raises(ValueError, match="priors"):
            penalty_mask(["a", "b"], wrong)
    with pytest.raises(ValueError, match="mask"):
        penalty_mask(["a", "b"], [], {"background": 1.0})


@settings(max_examples=50)
@given(st.floats(0, 1), st.integers(0, 99))
def test_corrupted_priors(share: float, seed: int) -> None:
    priors = [Prior("a", "b"), Prior("b", "c"), Prior("c", "d"), Prior("a", "d")]
    found = corrupt_priors(NAMES, priors, share, seed)
    wrong = [p for p, q in zip(found, priors, strict=True) if p != q]
    assert len(wrong) == round(4 * share)
    joined = {frozenset((p.source, p.target)) for p in priors}
    assert all(frozenset((p.source, p.target)) not in joined for p in wrong)
    assert corrupt_priors(NAMES, priors, 0.0, seed) == priors


edge_lists = st.lists(
    st.builds(
        Edge, st.sampled_from(NAMES), st.sampled_from(NAMES),
        st.floats(-2, 2).filter(lambda w: w != 0), st.sampled_from(["W", "A"]),
    ),
    max_size=12,
)  # fmt: skip


@settings(max_examples=80)
@given(edge_lists, st.randoms(use_true_random=False))
def test_merging_is_order_free_and_idempotent(edges: list[Edge], random: object) -> None:
    priors = [Prior("a", "b"), Prior("c", "d")]
    merged = merge_edges(edges, priors)
    shuffled = sorted(edges, key=lambda e: (e.weight, e.target, e.source))
    assert merge_edges(shuffled, priors) == merged
    assert merge_edges([*edges, *edges], priors) == merged
    assert all(sum(e.target == n for e in merged) <= 2 for n in NAMES)
    assert merge_edges(merged) == merged


@settings(max_examples=80)
@given(edge_lists, st.integers(0, 11))
def test_removing_a_better_wrong_edge_never_worsens_the_rank(edges: list[Edge], which: int) -> None:
    rank = root_rank(edges, "e", "a")
    assert 1 <= rank <= len(edges) + 1
    if which < len(edges) and edges[which].source != "a":
        assert root_rank(edges[:which] + edges[which + 1 :], "e", "a") <= rank


def test_ranks_over_two_edges() -> None:
    edges = [Edge("a", "b", 0.9, "W"), Edge("b", "c", 0.6, "W"), Edge("d", "c", 0.5, "W")]
    assert root_rank(edges, "c", "a") == 4
    assert root_rank(edges, "c", "a", hops=2) == 2  # tied with b through which it acts
    assert root_rank(edges, "c", "d") == 2


def test_learnt_edges_are_named() -> None:
    W, A = np.zeros((2, 2)), np.zeros((2, 2))
    W[0, 1], A[1, 0], A[0, 0] = -0.5, 0.2, 0.9
    assert edges_of(["x", "y"], W, A) == [Edge("x", "y", -0.5, "instantly_triggers")]
    with pytest.raises(ValueError, match="must fit"):
        edges_of(["x"], W, A)


def test_double_precision_is_not_asked_for_silently() -> None:
    found = discover(discovery_problem(np.random.default_rng(0).standard_normal((50, 3))))
    assert found.W.dtype == np.float64
    assert jax.config.read("jax_enable_x64") in (True, False)


@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_merging_refuses_a_weight_that_is_not_finite(weight: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        merge_edges([Edge("a", "b", weight, "W")])
