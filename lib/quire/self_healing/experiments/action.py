"""Diagnoses on the labelled windows: what accuracy means once near-duplicates are kept apart."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from quire.self_healing.action.cases import Case
from quire.self_healing.action.scorer import (
    CHANNELS,
    Scorer,
    diagnose,
    library_of,
)
from quire.self_healing.experiments.intervals import cluster_interval, mean_interval
from quire.self_healing.leakage import (
    allowed_support,
    names_the_answer,
    same_evidence,
    thinned_support,
)
from quire.self_healing.perception.masking import mask
from quire.self_healing.perception.retrieval import similarities


@lru_cache(maxsize=64)
def _cached(texts: tuple[str, ...]) -> np.ndarray:
    return similarities(texts)


def alike(texts: Sequence[str]) -> np.ndarray:
    """Return the similarity of every two texts, kept from the last time."""
    return _cached(tuple(texts))


NEAREST = Scorer(k=3, votes=8.0)
METHODS = ("scorer", "nearest three", "nearest three, thinned at random")


@dataclass(frozen=True)
class Accuracy:
    """A method on the windows of a system, or of all.

    Attributes
    ----------
    system, method
        Which; ``all`` holds every window.
    exclusion
        Windows this similar, or more, may not support one another; 1.01 excludes none.
    noise
        Level of noise.
    rca, rca_low, rca_high
        Share of right roots, with the bootstrap interval over incidents.
    e2e, e2e_low, e2e_high
        Share with root and action right.
    constant_rca, constant_e2e
        The best constant answer, chosen in hindsight for each system.
    supports
        Mean number of windows that may support one.
    cases
        How many windows.
    """

    system: str
    method: str
    exclusion: float
    noise: float
    rca: float
    rca_low: float
    rca_high: float
    e2e: float
    e2e_low: float
    e2e_high: float
    constant_rca: float
    constant_e2e: float
    supports: float
    cases: int


def by_system(cases: Sequence[Case]) -> dict[str, list[Case]]:
    """Return the cases of every system."""
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(case.system, []).append(case)
    return found


def exclusion_curve(
    cases: Sequence[Case],
    thresholds: Sequence[float | None],
    level: float = 1.0,
    methods: Sequence[str] = METHODS[:2],
    channels: Sequence[str] = CHANNELS,
    rounds: int = 1000,
    seed: int = 2026,
    masked: bool = True,
) -> list[Accuracy]:
    """Return accuracies for every method and threshold of similarity, by system and for all.

    A window never supports itself or its own incident. Similarity is that of the clean windows,
    their values masked or not.
    """
    rows = []
    groups = by_system(cases)
    as_read = mask if masked else str
    clean = {s: alike([as_read(c.view(0.0).text) for c in g]) for s, g in groups.items()}
    for threshold in thresholds:
        for method in methods:
            right: list[tuple[bool, bool]] = []
            names: list[str] = []
            constant = np.zeros(2)
            supports: list[float] = []
            for system, group in groups.items():
                incidents = [case.incident for case in group]
                allowed = allowed_support(incidents, clean[system], threshold)
                if method == METHODS[2]:
                    whole = allowed_support(incidents, clean[system])
                    allowed = thinned_support(whole, allowed, seed)
                found = _answers(group, allowed, level, method, channels)
                best = np.array(constants(group))
                rows.append(_accuracy(system, method, threshold, level, found, incidents, best,
                                      float(allowed.sum(axis=1).mean()), rounds, seed))  # fmt: skip
                right += found
                names += incidents
                constant += best * len(group)
                supports += allowed.sum(axis=1).tolist()
            rows.append(_accuracy("all", method, threshold, level, right, names,
                                  constant / len(right), float(np.mean(supports)),
                                  rounds, seed))  # fmt: skip
    return rows


def constants(cases: Sequence[Case]) -> tuple[float, float]:
    """Return the shares that the most frequent root, and pair, would get right."""
    roots = Counter(case.root for case in cases)
    pairs = Counter((case.root, case.action) for case in cases)
    return max(roots.values()) / len(cases), max(pairs.values()) / len(cases)


def _answers(
    group: Sequence[Case],
    allowed: np.ndarray,
    level: float,
    method: str,
    channels: Sequence[str] = CHANNELS,
) -> list[tuple[bool, bool]]:
    library = library_of(group, level)
    fixed = None if method == "scorer" else NEAREST
    found = []
    for k, case in enumerate(group):
        answer = diagnose(library, k, allowed, fixed, channels)
        root = answer.root == case.root
        found.append((root, root and answer.action == case.action))
    return found


def _accuracy(
    system: str, method: str, threshold: float | None, level: float,
    right: Sequence[tuple[bool, bool]], incidents: Sequence[str], constant: np.ndarray,
    supports: float, rounds: int, seed: int,
) -> Accuracy:  # fmt: skip
    rca = cluster_interval([float(a) for a, _ in right], incidents, rounds, seed)
    e2e = cluster_interval([float(b) for _, b in right], incidents, rounds, seed)
    return Accuracy(system, method, 1.01 if threshold is None else threshold, level, *rca, *e2e,
                    float(constant[0]), float(constant[1]), supports, len(right))  # fmt: skip


@dataclass(frozen=True)
class Fall:
    """What near-duplicates are worth.

    Attributes
    ----------
    fall, low, high
        Root accuracy of the three nearest with their own incident left out, less that with windows
        of the threshold's similarity left out too; bootstrap over incidents, paired over windows.
    thinned
        The same fall where as many windows are left out at random, mean of five draws.
    ratio, ratio_low, ratio_high
        The fall at random over the fall by similarity, with the interval over draws.
    """

    fall: float
    low: float
    high: float
    thinned: float
    ratio: float
    ratio_low: float
    ratio_high: float


def duplicate_fall(
    cases: Sequence[Case], threshold: float = 0.7, level: float = 1.0, rounds: int = 1000,
    seed: int = 2026,
) -> Fall:  # fmt: skip
    """Return how far accuracy falls without near-duplicates, and without as many at random."""
    drops: list[float] = []
    names: list[str] = []
    thinned: list[list[float]] = [[] for _ in range(5)]
    for system, group in by_system(cases).items():
        incidents = [case.incident for case in group]
        clean = alike([mask(case.view(0.0).text) for case in group])
        whole = allowed_support(incidents, clean)
        strict = allowed_support(incidents, clean, threshold)
        base = _roots_right(group, whole, level)
        drops += (base - _roots_right(group, strict, level)).tolist()
        names += [f"{system}/{incident}" for incident in incidents]
        for draw in range(5):
            some = thinned_support(whole, strict, seed + draw)
            thinned[draw] += (base - _roots_right(group, some, level)).tolist()
    fall, low, high = cluster_interval(drops, names, rounds, seed)
    random = [float(np.mean(one)) for one in thinned]
    ratio = mean_interval([value / fall for value in random]) if fall else (0.0, 0.0, 0.0)
    return Fall(fall, low, high, float(np.mean(random)), *ratio)


def _roots_right(group: Sequence[Case], allowed: np.ndarray, level: float) -> np.ndarray:
    return np.array([float(root) for root, _ in _answers(group, allowed, level, METHODS[1])])


def over_constant(
    cases: Sequence[Case], threshold: float | None, level: float = 1.0, rounds: int = 1000,
    seed: int = 2026,
) -> tuple[float, float, float]:  # fmt: skip
    """Return the scorer's root accuracy less that of the best constant answer, with its interval.

    Paired over windows, bootstrap over incidents.
    """
    gains: list[float] = []
    names: list[str] = []
    for system, group in by_system(cases).items():
        clean = alike([mask(case.view(0.0).text) for case in group])
        allowed = allowed_support([case.incident for case in group], clean, threshold)
        found = _answers(group, allowed, level, "scorer")
        best = Counter(case.root for case in group).most_common(1)[0][0]
        gains += [float(a) - float(c.root == best) for (a, _), c in zip(found, group, strict=True)]
        names += [f"{system}/{case.incident}" for case in group]
    return cluster_interval(gains, names, rounds, seed)


@dataclass(frozen=True)
class GraphLeak:
    """What the benchmark's graph evidence gives away.

    Attributes
    ----------
    system
        Which, or ``all``.
    unmoved
        Share of windows whose evidence is the same at noise 0 and 1.
    names_pair
        Share whose evidence holds the very pair that the author wrote down as truth.
    with_graph, without_graph, cleared
        Root accuracy of the scorer with all channels; with text and frequency only; with all, where
        evidence that holds the written pair is taken away.
    graph_only, constant
        Root accuracy of the graph channel alone, and of the best constant answer.
    """

    system: str
    unmoved: float
    names_pair: float
    with_graph: float
    without_graph: float
    cleared: float
    graph_only: float
    constant: float


def graph_leak(
    cases: Sequence[Case], level: float = 1.0, threshold: float | None = 0.9
) -> list[GraphLeak]:
    """Return what the graph channel gives, with and without the pairs that name the truth."""
    rows = []
    totals: list[list[float]] = []
    for system, group in by_system(cases).items():
        clean = alike([mask(case.view(0.0).text) for case in group])
        allowed = allowed_support([case.incident for case in group], clean, threshold)
        wiped = [_without_evidence(c) if names_the_answer(c, level) else c for c in group]
        values = [
            float(np.mean([same_evidence(case, 0.0, 1.0) for case in group])),
            float(np.mean([names_the_answer(case, level) for case in group])),
        ]
        for some, channels in (
            (group, CHANNELS), (group, ("text", "prior")), (wiped, CHANNELS), (group, ("graph",)),
        ):  # fmt: skip
            found = _answers(some, allowed, level, "scorer", channels)
            values.append(float(np.mean([root for root, _ in found])))
        values.append(constants(group)[0])
        rows.append(GraphLeak(system, *values))
        totals += [values] * len(group)
    return [*rows, GraphLeak("all", *(float(v) for v in np.mean(totals, axis=0)))]


def _without_evidence(case: Case) -> Case:
    views = tuple((level, replace(view, edges=())) for level, view in case.views)
    return replace(case, views=views)
