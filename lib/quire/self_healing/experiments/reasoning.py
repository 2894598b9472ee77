"""Causal graphs: what priors add, right and wrong, and who finds the root of a simulated fault."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from quire.self_healing.experiments.intervals import mean_interval
from quire.self_healing.reasoning._pc import pc
from quire.self_healing.reasoning.dynotears import discover, discovery_problem
from quire.self_healing.reasoning.priors import (
    Edge,
    Prior,
    corrupt_priors,
    edges_of,
    merge_edges,
    penalty_mask,
    root_rank,
)
from quire.self_healing.reasoning.structures import (
    Process,
    edge_scores,
    simulate_process,
    standardised,
)

THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.3)


@dataclass(frozen=True)
class PriorRow:
    """Discovery with some priors, over several simulated processes.

    Attributes
    ----------
    priors
        ``none``, ``right``, or the share that is wrong.
    bins
        Length of the series.
    f1, low, high
        F1 of the edges within a bin, with its interval over processes.
    unnamed_recall
        Share of the true edges that no prior names and that were found.
    rank
        Mean penalised rank of the true causes whose pair no right prior names, in the merged graph.
    named_rank
        The same of the pairs that right priors name.
    edges
        Edges of the merged graph.
    gain, gain_low, gain_high
        F1 less that without priors, process by process.
    unnamed_gain
        The same of ``unnamed_recall``, with its interval.
    """

    priors: str
    bins: int
    f1: float
    low: float
    high: float
    unnamed_recall: float
    rank: float
    named_rank: float
    edges: float
    gain: float
    gain_low: float
    gain_high: float
    unnamed_gain: tuple[float, float, float]


@dataclass(frozen=True)
class _Trial:
    process: Process
    names: list[str]
    right: list[Prior]


def priors_right_and_wrong(
    d: int = 20,
    bins: int = 450,
    seeds: Sequence[int] = tuple(range(10)),
    corruption: Sequence[float] = (0.0, 0.1, 0.3, 0.5),
    kind: str = "curated",
) -> list[PriorRow]:
    """Return rows without priors, with half the true edges as priors, and with some of those wrong.

    The last row is the control without data: the priors' edges alone. The threshold on weights is
    chosen for each row on processes of its own.
    """
    settings: list[float | None] = [None, *corruption, -1.0]
    base: list[float] = []
    unnamed_base: list[float] = []
    rows = []
    for share in settings:
        tuning = [_found(_trial(d, bins, 10_000 + s), share, kind, 10_000 + s) for s in (0, 1, 2)]
        threshold = max(THRESHOLDS, key=lambda t: np.mean([_f1(*one, t) for one in tuning]))
        results = [_judged(*_found(_trial(d, bins, s), share, kind, s), threshold) for s in seeds]
        f1 = [r[0] for r in results]
        base = base or f1
        recalls = [r[1] for r in results]
        unnamed_base = unnamed_base or recalls
        changes = [a - b for a, b in zip(recalls, unnamed_base, strict=True) if a == a]
        mean, low, high = mean_interval(f1)
        gain = mean_interval([a - b for a, b in zip(f1, base, strict=True)])
        name = "none" if share is None else "right" if share == 0 else (
            "right, no data" if share < 0 else f"{share:.0%} wrong")  # fmt: skip
        unnamed, rank, named, edges = (
            float(np.nanmean([r[k] for r in results])) for k in (1, 2, 3, 4)
        )
        rows.append(
            PriorRow(
                name,
                bins,
                mean,
                low,
                high,
                unnamed,
                rank,
                named,
                edges,
                gain[0],
                gain[1],
                gain[2],
                mean_interval(changes),
            )
        )
    return rows


def _trial(d: int, bins: int, seed: int) -> _Trial:
    process = simulate_process(d, bins, seed)
    names = [f"event {k}" for k in range(d)]
    pairs = np.argwhere(process.W != 0)
    chosen = np.random.default_rng(seed).permutation(len(pairs))[: (len(pairs) + 1) // 2]
    right = [Prior(names[i], names[j], "curated") for i, j in pairs[chosen].tolist()]
    return _Trial(process, names, right)


def _found(
    trial: _Trial, share: float | None, kind: str, seed: int
) -> tuple[_Trial, list[Prior], Float[np.ndarray, "d d"], Float[np.ndarray, "d d"]]:
    right = [Prior(p.source, p.target, kind) for p in trial.right]
    priors = [] if share is None else corrupt_priors(trial.names, right, max(share, 0.0), seed)
    d = len(trial.names)
    if share is not None and share < 0:
        W = np.zeros((d, d))
        for p in priors:
            W[trial.names.index(p.source), trial.names.index(p.target)] = 1.0
        return trial, priors, W, np.zeros((d, d))
    mask = penalty_mask(trial.names, priors)
    found = discover(discovery_problem(standardised(trial.process.X), mask_w=mask, mask_a=mask))
    return trial, priors, found.W, found.A


def _f1(
    trial: _Trial,
    priors: list[Prior],
    W: Float[np.ndarray, "d d"],
    A: Float[np.ndarray, "d d"],
    threshold: float,
) -> float:
    return edge_scores(W, trial.process.W, threshold).f1


def _judged(
    trial: _Trial,
    priors: list[Prior],
    W: Float[np.ndarray, "d d"],
    A: Float[np.ndarray, "d d"],
    threshold: float,
) -> tuple[float, float, float, float, float]:
    """Return F1, recall of unnamed edges, ranks of unnamed and named pairs, edges of the graph."""
    names, true = trial.names, trial.process.W
    said = {(p.source, p.target) for p in trial.right}
    merged: list[Edge] = merge_edges(edges_of(names, W, A, threshold), priors)
    ranks: dict[bool, list[int]] = {True: [], False: []}
    hits = []
    for i, j in np.argwhere(true != 0).tolist():
        named = (names[i], names[j]) in said
        ranks[named].append(root_rank(merged, names[j], names[i]))
        if not named:
            hits.append(abs(W[i, j]) > threshold)
    unnamed, named_rank = (
        float(np.mean(ranks[k])) if ranks[k] else float("nan") for k in (False, True)
    )
    recall = float(np.mean(hits)) if hits else float("nan")
    return edge_scores(W, true, threshold).f1, recall, unnamed, named_rank, float(len(merged))


@dataclass(frozen=True)
class FaultRow:
    """A method that ranks the series after a fault.

    Attributes
    ----------
    method
        Which.
    top1, top1_low, top1_high
        Share of faults whose root comes first, with its interval.
    average5
        Mean over k = 1..5 of the share whose root is among the first k.
    hits
        For every fault whether its root came first.
    """

    method: str
    top1: float
    top1_low: float
    top1_high: float
    average5: float
    hits: tuple[bool, ...]


FAULT_BIN = 300


def faults(
    count: int = 30, d: int = 20, bins: int = 450, size: float = 1.5, seed: int = 14
) -> tuple[list[Float[np.ndarray, "t d"]], list[int]]:
    """Return series with a fault each, a shift of one series' noise from bin 300, and the roots."""
    rng = np.random.default_rng(seed)
    series, roots = [], []
    for k in range(count):
        root = int(rng.integers(d))
        found = simulate_process(d, bins, 1000 * seed + k, shift=(root, size, FAULT_BIN))
        series.append(found.X)
        roots.append(root)
    return series, roots


def rank_faults(
    series: Sequence[Float[np.ndarray, "t d"]],
    roots: Sequence[int],
    theirs: Sequence[Sequence[int]] = (),
    seed: int = 14,
) -> list[FaultRow]:
    """Return who finds the roots: by residuals of a learnt graph, by shifts alone, BARO, chance.

    Every method sees the same bins and the same time of the fault. ``theirs`` are BARO's rankings.
    """
    rng = np.random.default_rng(seed)
    places: dict[str, list[int]] = {}
    for k, (X, root) in enumerate(zip(series, roots, strict=True)):
        orders = {
            "residuals of the learnt graph": _order(_residuals(X)),
            "shift of each series": _order(X),
            "constant answer (series 0 first)": list(range(X.shape[1])),
            "chance": rng.permutation(X.shape[1]).tolist(),
        }
        if len(theirs):
            orders["BARO"] = [int(place) for place in theirs[k]]
        for method, order in orders.items():
            place = order.index(root) if root in order else len(order)
            places.setdefault(method, []).append(place)
    rows = []
    for method, found in places.items():
        values = np.array(found)
        mean, low, high = mean_interval((values == 0).astype(float).tolist())
        average = float(np.mean([(values < k).mean() for k in range(1, 6)]))
        hits = tuple(bool(place == 0) for place in found)
        rows.append(FaultRow(method, mean, max(low, 0.0), min(high, 1.0), average, hits))
    return sorted(rows, key=lambda row: -row.average5)


def first_place_gain(one: FaultRow, other: FaultRow) -> tuple[float, float, float]:
    """Return how much more often one method is right at once, with its paired interval."""
    return mean_interval([float(a) - float(b) for a, b in zip(one.hits, other.hits, strict=True)])


def _residuals(X: Float[np.ndarray, "t d"]) -> Float[np.ndarray, "t d"]:
    """Return what a graph learnt before the fault does not explain, for every bin."""
    before = X[:FAULT_BIN]
    centre, scale = before.mean(axis=0), before.std(axis=0)
    Z = (X - centre) / scale
    found = discover(discovery_problem(Z[:FAULT_BIN]))
    left = np.zeros_like(Z)
    left[1:] = Z[1:] - Z[1:] @ found.W - Z[:-1] @ found.A
    left[0] = left[1]
    return left


def _order(X: Float[np.ndarray, "t d"]) -> list[int]:
    """Return the series by how far their mean moved at the fault, in units of their spread."""
    before, after = X[:FAULT_BIN], X[FAULT_BIN:]
    moved = np.abs(after.mean(axis=0) - before.mean(axis=0)) / before.std(axis=0)
    return [int(k) for k in np.argsort(-moved, kind="stable")]


def pc_inputs(
    count: int = 5, d: int = 12, bins: int = 400, seed: int = 7
) -> list[Float[np.ndarray, "t d"]]:
    """Return samples of linear models without lags, for PC."""
    inputs = []
    for k in range(count):
        process = simulate_process(d, 10, 100 * seed + k)
        noise = np.random.default_rng(100 * seed + k).standard_normal((bins, d))
        inputs.append(noise @ np.linalg.inv(np.eye(d) - process.W))
    return inputs


def pc_differences(
    inputs: Sequence[Float[np.ndarray, "t d"]],
    theirs: Sequence[Bool[np.ndarray, "d d"]],
    alpha: float,
) -> tuple[int, int]:
    """Return in how many pairs our skeletons and our directions differ from another PC's."""
    skeletons = directions = 0
    for X, other in zip(inputs, theirs, strict=True):
        ours, marks = pc(X, alpha), np.asarray(other) != 0
        skeletons += int(np.triu(ours.skeleton != (marks | marks.T)).sum())
        directions += int(np.triu((ours.marks != marks) | (ours.marks != marks).T).sum())
    return skeletons, directions


@dataclass(frozen=True)
class DrawnEdge:
    """An edge of a small graph as the explorer draws it.

    Attributes
    ----------
    noise, trust, wrong
        Noise of measurement; how much the priors are trusted, from 0 (none) to 4; how many of the
        three priors are wrong.
    source, target
        Series.
    x1, y1, x2, y2
        Where the edge begins and ends.
    kind
        ``found``, ``missed`` or ``not there``.
    prior
        Whether a prior names it.
    """

    noise: float
    trust: int
    wrong: int
    source: str
    target: str
    x1: float
    y1: float
    x2: float
    y2: float
    kind: str
    prior: bool


def small_graphs(
    noises: Sequence[float] = (0.0, 0.5, 1.0, 1.5),
    trusts: Sequence[int] = (0, 1, 2, 3),
    wrongs: Sequence[int] = (0, 1, 2, 3),
    bins: int = 200,
    seed: int = 3,
) -> list[DrawnEdge]:
    """Return the graphs of seven series, for every noise, trust and number of wrong priors.

    A trust of t divides the penalty of a prior's edge by 2.5 to the power t and raises that of its
    reverse as much.
    """
    d = 7
    process = simulate_process(d, bins, seed)
    names = [f"event {k}" for k in range(d)]
    pairs = [(int(i), int(j)) for i, j in np.argwhere(process.W != 0)]
    right = [Prior(names[i], names[j]) for i, j in pairs[::2]][:3]
    rng = np.random.default_rng(seed)
    errors = rng.standard_normal(process.X.shape)
    angle = 2 * np.pi * np.arange(d) / d
    at = np.column_stack([np.cos(angle), np.sin(angle)])
    rows = []
    for noise in noises:
        X = standardised(process.X + noise * process.X.std(axis=0) * errors)
        for wrong in wrongs:
            priors = corrupt_priors(names, right, wrong / len(right), seed)
            said = {(p.source, p.target) for p in priors}
            for trust in trusts:
                factor = 2.5**trust
                mask = penalty_mask(
                    names, priors,
                    {"background": 1.0, "symbolic": 1 / factor, "curated": 1.0, "reverse": factor,
                     "other": 1.0},
                )  # fmt: skip
                W = discover(discovery_problem(X, 0.08, 0.08, mask, mask)).W
                for i in range(d):
                    for j in range(d):
                        there, found = process.W[i, j] != 0, abs(W[i, j]) > 0.05
                        if not (there or found):
                            continue
                        kind = "found" if there and found else "missed" if there else "not there"
                        gap = (at[j] - at[i]) / np.linalg.norm(at[j] - at[i])
                        a, b = at[i] + 0.13 * gap, at[j] - 0.13 * gap
                        rows.append(DrawnEdge(
                            noise, trust, wrong, names[i], names[j],
                            float(a[0]), float(a[1]), float(b[0]), float(b[1]), kind,
                            (names[i], names[j]) in said,
                        ))  # fmt: skip
    return rows
