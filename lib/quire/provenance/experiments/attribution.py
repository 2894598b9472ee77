"""Who erred, and at which message: a classifier on features of a record against constant answers.

The labels are those of Who&When's annotators. Everything that is chosen (the constants, the
classifier and its strength of regularisation) is chosen on other logs than it is judged on.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.provenance.exchange.importers import speaker_of
from quire.provenance.replay.alignment import wilson_interval

GPT_4O = {"algorithm-generated": (51.12, 16.59), "hand-crafted": (53.44, 8.77)}
"""Who&When's GPT-4o without the answer: agent, step, per cent.

Each is the best of the three ways in which its paper asks: the whole log at once (both agents),
step by step (hand-crafted message), by halves (algorithm-generated message). At once the messages
are 13.53 and 3.51.
"""

FOLDS = 5
_NAMES = ("WebSurfer", "Orchestrator", "Assistant", "FileSurfer", "Computer_terminal", "human")
_FAULT = ("error", "failed", "failure", "traceback", "exception", "unable", "cannot", "not found")
_PLAN = ("plan", "instead", "next step", "let's")
Fit = Callable[[np.ndarray, np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]]


@dataclass(frozen=True)
class AttributionRow:
    """A way to name the culprit, judged on one part of Who&When.

    Attributes
    ----------
    part, way
        The part; what answers.
    agent, agent_low, agent_high
        Per cent of logs whose agent is named, with a 95 % interval by bootstrap over logs.
    step, step_low, step_high
        The same for the message.
    gain, gain_low, gain_high
        Agents named beyond the best of the other ways, on the same logs (points, paired).
    """

    part: str
    way: str
    agent: float
    agent_low: float
    agent_high: float
    step: float
    step_low: float
    step_high: float
    gain: float
    gain_low: float
    gain_high: float


def message_features(log: Mapping[str, Any]) -> np.ndarray:
    """Return features of every message that a record of the run holds, (messages, features).

    Position; speaker; length; words of fault, of plans, code; how new the words are (surprise); and
    what the next message says (consequence).
    """
    history = log["history"]
    speakers = [speaker_of(m) for m in history]
    texts = [str(m.get("content") or "") for m in history]
    low = [t.lower() for t in texts]
    words = [set(re.findall(r"[a-z]{3,}", t)) for t in low]
    fault = [any(word in t for word in _FAULT) for t in low]
    seen: set[str] = set()
    spoke: Counter[str] = Counter()
    count, rows = len(history), []
    for k, (speaker, text) in enumerate(zip(speakers, texts, strict=True)):
        fresh = len(words[k] - seen) / max(len(words[k]), 1)
        after = texts[k + 1] if k + 1 < count else ""
        rows.append(
            [
                k / count,
                min(k, 30) / 30,
                *(float(k == j) for j in range(10)),
                np.log1p(len(text)) / 10,
                float("```" in text),
                float(fault[k]),
                float(k + 1 < count and fault[k + 1]),
                float("exitcode: 1" in after),
                float(any(word in low[k] for word in _PLAN)),
                fresh,
                float(k + 1 == count),
                float(spoke[speaker] == 0),
                min(spoke[speaker], 10) / 10,
                speakers.count(speaker) / count,
                *(float(speaker == name) for name in _NAMES),
                float("expert" in speaker.lower()),
                float("verif" in speaker.lower() or "validat" in speaker.lower()),
            ]
        )
        seen |= words[k]
        spoke[speaker] += 1
    return np.array(rows)


def attribution(
    part: str, logs: Sequence[Mapping[str, Any]], fit: Fit, seeds: Sequence[int]
) -> list[AttributionRow]:
    """Return constants and a classifier on one part of Who&When, each judged on held-out logs.

    Parameters
    ----------
    part
        Its name.
    logs
        The logs.
    fit
        Called with features, labels and a group (log) per message; returns what gives each
        message's probability to be the mistake.
    seeds
        Of the partitions into five folds; a log's score is its mean over them.
    """
    names = [str(log["mistake_agent"]) for log in logs]
    steps = np.array([int(log["mistake_step"]) for log in logs])
    tables = [message_features(log) for log in logs]
    speakers = [[speaker_of(m) for m in log["history"]] for log in logs]
    right = {
        way: np.zeros((2, len(logs)))
        for way in ("who speaks first", "who speaks most", "one name, one step", "features")
    }
    for k, spoken in enumerate(speakers):
        right["who speaks first"][0, k] = spoken[0] == names[k]
        right["who speaks first"][1, k] = steps[k] == 0
        most = Counter(spoken).most_common(1)[0][0]
        right["who speaks most"][0, k] = most == names[k]
        right["who speaks most"][1, k] = steps[k] == spoken.index(most)
    for seed in seeds:
        fold = np.random.default_rng(seed).permutation(np.arange(len(logs)) % FOLDS)
        for held in range(FOLDS):
            train, test = np.flatnonzero(fold != held), np.flatnonzero(fold == held)
            name = Counter(names[k] for k in train).most_common(1)[0][0]
            step = Counter(steps[train].tolist()).most_common(1)[0][0]
            x = np.vstack([tables[k] for k in train])
            group = np.concatenate([np.full(len(tables[k]), k) for k in train])
            y = np.concatenate([np.arange(len(tables[k])) == steps[k] for k in train])
            model = fit(x, y.astype(int), group)
            for k in map(int, test):
                p = model(tables[k])
                said = {s: 1.0 - np.prod(1.0 - p[np.array(speakers[k]) == s]) for s in speakers[k]}
                right["one name, one step"][:, k] += np.array([name == names[k], step == steps[k]])
                right["features"][:, k] += np.array(
                    [max(said, key=lambda s: said[s]) == names[k], int(p.argmax()) == steps[k]]
                )
    for way in ("one name, one step", "features"):
        right[way] /= len(seeds)
    rows = []
    for way, found in right.items():
        best = max((r[0] for w, r in right.items() if w != way), key=np.mean)
        told = [
            number
            for scores in (*found, found[0] - best)
            for number in _mean_with_interval(scores, seeds[0])
        ]
        rows.append(AttributionRow(part, way, *told))
    return rows


def margin_over_printed(
    row: AttributionRow, printed: float, count: int
) -> tuple[float, float, float]:
    """Return by how many points a way names more messages than a printed share, with an interval.

    The printed share was counted on as many logs, so that it varies too: the two intervals are
    combined as for independent shares (Newcombe 1998, method 10). Log by log the rival's answers
    are not published; what both find easy would make the interval narrower.

    Parameters
    ----------
    row
        The way, with its own interval.
    printed
        The rival's share, per cent.
    count
        Logs on which it was counted.
    """
    low, high = (100 * end for end in wilson_interval(round(printed / 100 * count), count))
    margin = row.step - printed
    return (
        margin,
        margin - float(np.hypot(row.step - row.step_low, high - printed)),
        margin + float(np.hypot(row.step_high - row.step, printed - low)),
    )


def _mean_with_interval(scores: np.ndarray, seed: int) -> tuple[float, float, float]:
    """Return a mean and its 95 % interval by bootstrap, in per cent."""
    drawn = np.random.default_rng(seed).integers(0, len(scores), (2000, len(scores)))
    low, high = np.percentile(100 * scores[drawn].mean(axis=1), [2.5, 97.5])
    return 100 * float(scores.mean()), float(low), float(high)
