"""Diagnoses on the labelled windows: what accuracy means once near-duplicates are kept apart."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from quire.self_healing.action.cases import Case
from quire.self_healing.action.conformal import abstains, conformal_threshold, prediction_set
from quire.self_healing.action.diagnosers import evidence_of
from quire.self_healing.action.scorer import (
    CHANNELS,
    Library,
    Scorer,
    diagnose,
    fit_scorer,
    library_of,
    reachability,
    root_probabilities,
)
from quire.self_healing.experiments.intervals import cluster_interval, mean_interval
from quire.self_healing.leakage import (
    allowed_support,
    names_the_answer,
    same_evidence,
    thinned_support,
)
from quire.self_healing.perception.masking import mask
from quire.self_healing.perception.readers import strip_header
from quire.self_healing.perception.retrieval import similarities
from quire.self_healing.routing import Traffic, count_traffic


@lru_cache(maxsize=64)
def _cached(texts: tuple[str, ...]) -> np.ndarray:
    return similarities(texts)


def _alike(texts: Sequence[str]) -> np.ndarray:
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
    clean = {s: _alike([as_read(c.view(0.0).text) for c in g]) for s, g in groups.items()}
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
        clean = _alike([mask(case.view(0.0).text) for case in group])
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
        clean = _alike([mask(case.view(0.0).text) for case in group])
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
        clean = _alike([mask(case.view(0.0).text) for case in group])
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


@dataclass(frozen=True)
class Coverage:
    """Prediction sets over many splits.

    Attributes
    ----------
    split
        ``random`` (exchangeable) or ``by incident`` (an incident stands on one side alone).
    noise
        Level of noise of tested windows; calibration has that of ``calibrated``.
    calibrated
        Level of noise of supports and calibration.
    coverage, low, high
        Share of tested windows whose set holds the right root, with the interval over splits.
    size
        Mean number of roots in a set.
    answered
        Share of windows that are answered: sets of one root.
    accuracy
        Share of right roots among the answered.
    constant
        The best constant answer.
    """

    split: str
    noise: float
    calibrated: float
    coverage: float
    low: float
    high: float
    size: float
    answered: float
    accuracy: float
    constant: float


def coverage(
    cases: Sequence[Case],
    alpha: float = 0.1,
    levels: Sequence[tuple[float, float]] = ((0.0, 0.0), (1.0, 1.0), (0.0, 1.0)),
    splits: int = 100,
    seed: int = 2026,
) -> list[Coverage]:
    """Return the coverage of conformal sets: half the windows support, a quarter calibrates.

    ``levels`` pairs the noise of supports and calibration with that of the tested windows. Both
    kinds of split draw from all systems at once.
    """
    rows = []
    constant = float(np.mean([c == r for c, r in _hindsight(cases)]))
    for calibrated, tested in levels:
        libraries = _two_levels(cases, calibrated, tested)
        for kind in ("random", "by incident"):
            hits, sizes, answered, right = [], [], [], []
            for draw in range(splits):
                rng = np.random.default_rng([seed, draw])
                part = _parts(cases, rng, kind == "by incident")
                one = _sets(cases, libraries, part, alpha)
                hits.append(float(np.mean([case.root in chosen for case, chosen, _ in one])))
                sizes += [len(chosen) for _, chosen, _ in one]
                answered += [len(chosen) == 1 for _, chosen, _ in one]
                right += [case.root in chosen for case, chosen, _ in one if len(chosen) == 1]
            mean = float(np.mean(hits))
            half = 1.96 * float(np.std(hits, ddof=1)) / len(hits) ** 0.5
            rows.append(Coverage(
                kind, tested, calibrated, mean, mean - half, mean + half, float(np.mean(sizes)),
                float(np.mean(answered)), float(np.mean(right)) if right else 0.0, constant,
            ))  # fmt: skip
    return rows


def _hindsight(cases: Sequence[Case]) -> list[tuple[str, str]]:
    best = {s: Counter(c.root for c in g).most_common(1)[0][0] for s, g in by_system(cases).items()}
    return [(best[case.system], case.root) for case in cases]


def _parts(cases: Sequence[Case], rng: np.random.Generator, blocks: bool) -> np.ndarray:
    """Return 0 (support), 1 (calibration) or 2 (test) for every case."""
    keys = [f"{c.system}/{c.incident}" if blocks else str(k) for k, c in enumerate(cases)]
    names = list(dict.fromkeys(keys))
    order = rng.permutation(len(names))
    size = Counter(keys)
    part: dict[str, int] = {}
    done = 0
    for k in order.tolist():
        part[names[k]] = 0 if done < len(keys) / 2 else 1 if done < 0.75 * len(keys) else 2
        done += size[names[k]]
    return np.array([part[key] for key in keys])


def _two_levels(cases: Sequence[Case], first: float, second: float) -> dict[str, Library]:
    """Return for every system one library with its cases at both levels, one after the other."""
    found = {}
    for system, group in by_system(cases).items():
        views = [case.view(level) for level in (first, second) for case in group]
        found[system] = Library(
            tuple(case.root for case in group) * 2,
            tuple(case.action for case in group) * 2,
            _alike([mask(view.text) for view in views]),
            tuple(reachability(view.edges) for view in views),
        )
    return found


def _sets(
    cases: Sequence[Case], libraries: Mapping[str, Library], part: np.ndarray, alpha: float
) -> list[tuple[Case, tuple[str, ...], dict[str, float]]]:
    """Return every tested case with its set of roots and their probabilities.

    Supports and calibration have the first level of the libraries, tested cases the second.
    """
    scores: list[float] = []
    waiting: list[tuple[Case, dict[str, float]]] = []
    places: dict[str, list[int]] = {}
    for k, case in enumerate(cases):
        places.setdefault(case.system, []).append(k)
    for system, where in places.items():
        role, library, n = part[where], libraries[system], len(where)
        support = np.concatenate([role == 0, np.zeros(n, dtype=bool)])
        allowed = np.tile(~np.eye(n, dtype=bool), (2, 2))
        scorer = fit_scorer(library, support, allowed)
        p = root_probabilities(library, support, allowed, scorer)
        for k, place in enumerate(where):
            case = cases[place]
            if role[k] == 1:
                scores.append(1 - float(p[k, library.labels.index(case.root)]))
            elif role[k] == 2:
                row = dict(zip(library.labels, (float(v) for v in p[n + k]), strict=True))
                waiting.append((case, row))
    threshold = conformal_threshold(np.array(scores), alpha)
    return [(case, prediction_set(row, threshold), row) for case, row in waiting]


def edge_first(
    cases: Sequence[Case],
    alpha: float = 0.1,
    level: float = 1.0,
    splits: int = 20,
    seed: int = 2026,
) -> Traffic:
    """Return what leaves the node when a window is escalated only where its set is no single root.

    Sets are calibrated by incident, as a node would have to; counts are sums over the splits.
    """
    windows, evidence, away = [], [], []
    libraries = _two_levels(cases, level, level)
    for draw in range(splits):
        part = _parts(cases, np.random.default_rng([seed, draw]), True)
        for case, chosen, row in _sets(cases, libraries, part, alpha):
            view = case.view(level)
            windows.append(view.text)
            evidence.append(evidence_of(view, mask(strip_header(view.alert)), row))
            away.append(abstains(chosen, row))
    return count_traffic(windows, evidence, away)
