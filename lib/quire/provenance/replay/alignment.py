"""Two runs of one investigation, step by step: equal, equivalent, divergent, inserted, dropped."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.stats import norm

from quire.checks import between, integer
from quire.provenance.capture.fidelity import call_key
from quire.provenance.schema.records import Record
from quire.signatures import checked

StepClass = Literal["equal", "equivalent", "divergent", "inserted", "dropped"]
_GAP = -1.0


@dataclass(frozen=True)
class Pair:
    """One row of an alignment: places in the first and the second run (None for a gap), a class."""

    first: int | None
    second: int | None
    kind: StepClass


@dataclass(frozen=True)
class Comparison:
    """What two runs of one investigation share.

    Attributes
    ----------
    pairs
        The alignment.
    matched
        Share of the longer run's steps that are equal or equivalent.
    converged
        Whether the verdicts have one category; None without two verdicts.
    evidence_overlap
        Steps of evidence in both, over steps in either (Jaccard, by the alignment).
    replans
        Plan versions of the second run less those of the first.
    """

    pairs: tuple[Pair, ...]
    matched: float
    converged: bool | None
    evidence_overlap: float
    replans: int

    def count(self, kind: StepClass) -> int:
        """Return how many pairs are of a class."""
        return sum(pair.kind == kind for pair in self.pairs)


@checked
def align(
    first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]]
) -> tuple[Pair, ...]:
    """Return the best alignment of two lists of steps (Needleman-Wunsch).

    Steps are ``equal`` with the same calls and codes, ``equivalent`` with the same tools and
    intent, ``divergent`` otherwise. An equal pair scores 2, an equivalent 1, a divergent -0.5 and
    a gap -1.
    """
    kinds = [[_kind(a, b) for b in second] for a in first]
    score = {"equal": 2.0, "equivalent": 1.0, "divergent": -0.5}
    n, m = len(first), len(second)
    best = np.zeros((n + 1, m + 1))
    best[:, 0], best[0, :] = _GAP * np.arange(n + 1), _GAP * np.arange(m + 1)
    for i in range(n):
        for j in range(m):
            best[i + 1, j + 1] = max(
                best[i, j] + score[kinds[i][j]], best[i, j + 1] + _GAP, best[i + 1, j] + _GAP
            )
    pairs: list[Pair] = []
    i, j = n, m
    while i or j:
        if i and j and best[i, j] == best[i - 1, j - 1] + score[kinds[i - 1][j - 1]]:
            i, j = i - 1, j - 1
            pairs.append(Pair(i, j, kinds[i][j]))
        elif i and best[i, j] == best[i - 1, j] + _GAP:
            i -= 1
            pairs.append(Pair(i, None, "dropped"))
        else:
            j -= 1
            pairs.append(Pair(None, j, "inserted"))
    return tuple(reversed(pairs))


@checked
def compare_runs(first: Record, second: Record) -> Comparison:
    """Return what two records of one investigation share."""
    pairs = align(first.steps, second.steps)
    same = sum(pair.kind in ("equal", "equivalent") for pair in pairs)
    longer = max(len(first.steps), len(second.steps))
    converged, overlap = None, 1.0
    if first.verdict is not None and second.verdict is not None:
        converged = _category(first) == _category(second)
        one = {p.first for p in pairs if p.first is not None and _carries(first, p.first)}
        two = {p.second for p in pairs if p.second is not None and _carries(second, p.second)}
        both = sum(p.first in one and p.second in two for p in pairs)
        either = len(one) + len(two) - both
        overlap = both / either if either else 1.0
    return Comparison(
        pairs,
        same / longer if longer else 1.0,
        converged,
        overlap,
        len(second.plans) - len(first.plans),
    )


def wilson_interval(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval of a share."""
    trials = integer("trials", trials)
    successes = integer("successes", successes, 0, trials)
    z = float(norm.ppf(0.5 + between("level", level, 0, 1) / 2))
    share = successes / trials
    middle = share + z * z / (2 * trials)
    spread = z * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    low, high = (middle - spread), (middle + spread)
    scale = 1 + z * z / trials
    return max(0.0, float(low / scale)), min(1.0, float(high / scale))


def _kind(a: Mapping[str, Any], b: Mapping[str, Any]) -> StepClass:
    ours, theirs = a.get("tool_calls") or (), b.get("tool_calls") or ()
    if _intent(a) == _intent(b):
        same_calls = Counter(map(call_key, ours)) == Counter(map(call_key, theirs))
        if same_calls and a.get("inference_code") == b.get("inference_code"):
            return "equal"
        if same_calls or Counter(c["tool"] for c in ours) == Counter(c["tool"] for c in theirs):
            return "equivalent"
    return "divergent"


def _intent(step: Mapping[str, Any]) -> Any:
    return step.get("intent_code") or step.get("intent")


def _category(record: Record) -> list[str]:
    assert record.verdict is not None
    return [x.strip().casefold() for x in record.verdict["root_cause_category"].split(">")]


def _carries(record: Record, place: int) -> bool:
    assert record.verdict is not None
    return record.steps[place]["step_id"] in record.verdict["evidence_chain"]
