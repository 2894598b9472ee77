"""Sets of roots that keep a promise, and what leaves the node where a set is no single root."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from quire.self_healing.action.cases import Case
from quire.self_healing.action.conformal import abstains, conformal_threshold, prediction_set
from quire.self_healing.action.diagnosers import evidence_of
from quire.self_healing.action.scorer import Library, fit_scorer, reachability, root_probabilities
from quire.self_healing.experiments.action import alike, by_system
from quire.self_healing.experiments.intervals import ratio_interval
from quire.self_healing.perception.masking import mask
from quire.self_healing.perception.readers import strip_header
from quire.self_healing.routing import Traffic, count_traffic


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
            alike([mask(view.text) for view in views]),
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


@dataclass(frozen=True)
class EdgeFirst:
    """What left the node over all splits, and how sure the share of saved bytes is.

    Attributes
    ----------
    traffic
        Counts, summed over the splits.
    low, high
        95 per cent interval of the share of bytes saved, by bootstrap over incidents.
    """

    traffic: Traffic
    low: float
    high: float


def edge_first(
    cases: Sequence[Case],
    alpha: float = 0.1,
    level: float = 1.0,
    splits: int = 20,
    rounds: int = 1000,
    seed: int = 2026,
) -> EdgeFirst:
    """Return what leaves the node when a window is escalated only where its set is no single root.

    Sets are calibrated by incident, as a node would have to.
    """
    windows, evidence, away, names = [], [], [], []
    libraries = _two_levels(cases, level, level)
    for draw in range(splits):
        part = _parts(cases, np.random.default_rng([seed, draw]), True)
        for case, chosen, row in _sets(cases, libraries, part, alpha):
            view = case.view(level)
            windows.append(view.text)
            evidence.append(evidence_of(view, mask(strip_header(view.alert)), row))
            away.append(abstains(chosen, row))
            names.append(f"{case.system}/{case.incident}")
    raw = [float(len(text.encode())) for text in windows]
    sent = [float(len(e.encode()) * gone) for e, gone in zip(evidence, away, strict=True)]
    low, high = ratio_interval(sent, raw, names, rounds, seed)
    return EdgeFirst(count_traffic(windows, evidence, away), 1 - high, 1 - low)
