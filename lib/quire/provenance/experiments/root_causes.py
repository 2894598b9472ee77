"""OpenRCA's questions answered by a classifier and by a constant, both learned on other questions.

The archive holds no steps and no telemetry: what a record of it tells is the question and what the
agent answered. The classifier sees both, and names a component and a reason.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.provenance.exchange.importers import points_of
from quire.provenance.questions.corpora import best_constant
from quire.provenance.schema.canonical import parse_json
from quire.provenance.schema.errors import Malformed

FOLDS = 5
Row = Mapping[str, str]
Fit = Callable[[np.ndarray, np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]]


@dataclass(frozen=True)
class AnsweredRow:
    """A way to answer, judged on questions that it has not learned from.

    Attributes
    ----------
    way
        What answers.
    right
        Per cent of the questions that are answered in full; one that asks for a time never is.
    gain, gain_low, gain_high
        Beyond the constant, in points, paired, with a 95 % interval by bootstrap over windows of
        time, whose questions may be about one failure.
    """

    way: str
    right: float
    gain: float
    gain_low: float
    gain_high: float


def answer_features(rows: Sequence[Row]) -> np.ndarray:
    """Return what a record of an answer tells, as zeros and ones, (rows, features).

    The kind of question, whether there are several failures, the hour, and the component (with its
    replica and without) and the reason that the agent named. A prediction that cannot be read names
    nothing.
    """
    told = []
    for row in rows:
        component, reason = _named(row)
        text = str(row["instruction"])
        hour = re.search(r"\b(\d\d):\d\d", text)
        told.append(
            {
                f"asked {row['task_index']}",
                f"several {bool(re.search('two|three|multiple|failures', text))}",
                f"hour {int(hour[1]) // 6 if hour else -1}",
                f"component {component}",
                f"kind {re.sub('[-_]?[0-9]+(-[0-9]+)?$', '', component)}",
                f"reason {reason}",
            }
        )
    names = sorted(set().union(*told))
    return np.array([[float(name in one) for name in names] for one in told])


def answered(
    files: Mapping[str, Sequence[Row]], fit: Fit, seeds: Sequence[int]
) -> list[AnsweredRow]:
    """Return the constant, the agent and the classifier on all questions, each held out.

    Parameters
    ----------
    files
        The archive, a file a system; each has its own constant and classifier.
    fit
        Called with features, labels and a group (window) per row; returns what names a label for
        each row of a table.
    seeds
        Of the partitions of windows into five folds; a question's score is its mean over them.
    """
    scores: dict[str, list[np.ndarray]] = {"constant": [], "agent": [], "classifier": []}
    windows: list[str] = []
    for name, rows in files.items():
        table, points = answer_features(rows), [points_of(row) for row in rows]
        truths = [_truth(row) for row in rows]
        where, causes = (np.array(column) for column in zip(*truths, strict=True))
        window = np.array([f"{name} {' '.join(_moments(row))}" for row in rows])
        groups = np.unique(window, return_inverse=True)[1]
        right = {way: np.zeros(len(rows)) for way in ("constant", "classifier")}
        for seed in seeds:
            fold = np.random.default_rng(seed).permutation(np.arange(groups.max() + 1) % FOLDS)
            for held in range(FOLDS):
                train, test = (
                    np.flatnonzero((fold[groups] == held) == other) for other in (False, True)
                )
                constant = best_constant([points[k] for k in train])
                components, reasons = (
                    fit(table[train], labels[train], groups[train])(table[test])
                    for labels in (where, causes)
                )
                for k, component, reason in zip(test, components, reasons, strict=True):
                    for way, said in (
                        ("constant", {constant.component, constant.reason}),
                        ("classifier", {str(component), str(reason)}),
                    ):
                        right[way][k] += bool(points[k]) and set(points[k]) <= said
        for way, found in right.items():
            scores[way].append(found / len(seeds))
        scores["agent"].append(np.array([float(row["score"]) == 1 for row in rows], dtype=float))
        windows += window.tolist()
    whole = {way: np.concatenate(parts) for way, parts in scores.items()}
    return [
        AnsweredRow(
            way,
            100 * float(found.mean()),
            *_gain(found - whole["constant"], windows, seeds[0]),
        )
        for way, found in whole.items()
    ]


def _named(row: Row) -> tuple[str, str]:
    """Return the component and the reason of the agent's first failure, empty where unreadable."""
    try:
        told: Any = parse_json(str(row["prediction"]), "prediction")
    except Malformed:
        return "", ""
    first = next(iter(told.values()), None) if isinstance(told, dict) else None
    if not isinstance(first, dict):
        return "", ""
    return (
        str(first.get("root cause component", "")),
        str(first.get("root cause reason", "")),
    )


def _truth(row: Row) -> tuple[str, str]:
    """Return component and reason of the failure that the row is labelled with.

    Raises
    ------
    Malformed
        When one is missing.
    """
    told = dict(
        line.split(": ", 1) for line in str(row["groundtruth"]).splitlines() if ": " in line
    )
    if "component" not in told or "reason" not in told:
        raise Malformed("groundtruth", "must name a component and a reason")
    return told["component"].strip(), told["reason"].strip()


def _moments(row: Row) -> list[str]:
    """Return the day and the hours that a question names."""
    return re.findall(r"[A-Z][a-z]+ \d+, \d{4}|\d\d:\d\d", str(row["instruction"]))


def _gain(difference: np.ndarray, windows: Sequence[str], seed: int) -> tuple[float, float, float]:
    """Return a mean difference and its 95 % interval by bootstrap over windows, in points."""
    groups = np.unique(windows, return_inverse=True)[1]
    total, count = np.bincount(groups, difference), np.bincount(groups)
    drawn = np.random.default_rng(seed).integers(0, len(total), (2000, len(total)))
    means = total[drawn].sum(axis=1) / count[drawn].sum(axis=1)
    low, high = np.percentile(100 * means, [2.5, 97.5])
    return 100 * float(difference.mean()), float(low), float(high)
