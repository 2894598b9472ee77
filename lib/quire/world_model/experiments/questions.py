"""CLadder, question by question: what is answered from the text, and what the misses rest on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.checks import integer
from quire.world_model.causal.cladder import answer
from quire.world_model.errors import Unreadable


@dataclass(frozen=True)
class Judged:
    """A question's text with its label and our answer."""

    split: str
    query: str
    graph: str
    text: str
    label: str
    answer: str
    identified: bool
    reason: str
    value: float | None = None  # the printed difference whose sign is asked

    @property
    def right(self) -> bool:
        """Return whether the answer is the label."""
        return self.answer == self.label


@dataclass(frozen=True)
class Score:
    """Questions of one kind, and how many were answered as labelled."""

    name: str
    questions: int
    right: int
    share: float


def answered(
    split: str,
    questions: Sequence[Mapping[str, Any]],
    models: Sequence[Mapping[str, Any]],
    deadband: float = 0.005,
    structure_first: bool = True,
) -> list[Judged]:
    """Return our answers to questions as the benchmark stores them.

    Only the background, the given numbers and the question are read; of the rest, the model's
    number finds the background, and labels and kinds are carried along to judge by.

    Parameters
    ----------
    split
        Name of the file.
    questions
        Its entries.
    models
        The entries of ``test-model-meta.json``.
    deadband, structure_first
        See `answer`.
    """
    backgrounds = {m["model_id"]: m["background"] for m in models}
    rows = []
    for entry in questions:
        meta = entry["meta"]
        text = f"{backgrounds[meta['model_id']]} {entry['given_info']} {entry['question']}"
        value = None
        try:
            told = answer(text, deadband, structure_first)
            got, identified, reason = told.answer, told.identified, told.reason
            value = told.value
        except Unreadable as fault:
            got, identified, reason = "unread", False, str(fault)
        row = (
            split,
            meta["query_type"],
            meta["graph_id"],
            text,
            entry["answer"],
            got,
            identified,
            reason,
            value,
        )
        rows.append(Judged(*row))
    return rows


# The benchmark's wording, and another that says the same.
WORDINGS = (
    (r" has a direct effect on ", " directly influences "),
    (r" is unobserved\.", " is not observed."),
    (r"(\d)%", r"\1 percent"),
    (r"\bthe probability of ", "the likelihood of "),
    (r"Will (.+) increase the chance of ", r"Does \1 raise the probability of "),
    (r"Will (.+) decrease the chance of ", r"Does \1 reduce the probability of "),
    (
        r"Is the chance of (.+) larger when observing ",
        r"Is the probability of \1 higher when seeing ",
    ),
    (
        r"Is the chance of (.+) smaller when observing ",
        r"Is the probability of \1 lower when seeing ",
    ),
    (r" (more|less) likely to see ", r" \1 probable to observe "),
    (r" (more|less) likely than (.+) overall\?", r" \1 probable than \2 in general?"),
    (r"does the chance of (.+) increase when ", r"does the likelihood of \1 go up when "),
    (r"does the chance of (.+) decrease when ", r"does the likelihood of \1 go down when "),
    (r"If we disregard the mediation effect ", "If we ignore the mediated effect "),
    (r" (positively|negatively) affect (.+) through ", r" \1 influence \2 via "),
    (r" (more|less) correct to use ", r" \1 appropriate to use "),
)


def in_other_words(text: str) -> str:
    """Return a question in other words, of the same meaning and with the same numbers."""
    for form, other in WORDINGS:
        text = re.sub(form, other, text)
    return text


def changed_by_words(rows: Sequence[Judged], deadband: float = 0.005) -> int:
    """Return how many questions get another answer in other words, what cannot be read included."""
    changed = 0
    for row in rows:
        try:
            changed += answer(in_other_words(row.text), deadband).answer != row.answer
        except Unreadable:
            changed += row.answer != "unread"
    return changed


def scores(rows: Sequence[Judged], by: str) -> list[Score]:
    """Return the scores by ``split``, ``query`` or ``graph``, in the order of first appearance."""
    names = list(dict.fromkeys(getattr(r, by) for r in rows))
    found = []
    for name in names:
        mine = [r for r in rows if getattr(r, by) == name]
        right = sum(r.right for r in mine)
        found.append(Score(name, len(mine), right, right / len(mine)))
    return found


def wilson(right: int, count: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share."""
    z, n = 1.959964, integer("count", count)
    share = right / n
    middle, wide = (
        share + z * z / (2 * n),
        z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)),
    )
    return float((middle - wide) / (1 + z * z / n)), float((middle + wide) / (1 + z * z / n))


def unsettled(row: Judged, draws: int, seed: int) -> str:
    """Return why the text does not settle a question: ``graph``, ``rounding``, or nothing.

    Each printed percentage is drawn anew within half a per cent; rounding can turn the sign when
    one draw gives the other answer.
    """
    if not row.identified:
        return "graph"
    rng = np.random.default_rng(integer("seed", seed, 0))
    for _ in range(integer("draws", draws)):

        def moved(match: re.Match[str]) -> str:
            value = float(np.clip(float(match[1]) + rng.uniform(-0.5, 0.5), 0, 100))
            return f"{value:.4f}%"

        text = re.sub(r"(\d+(?:\.\d+)?)%", moved, row.text)
        if answer(text, 0.0).answer == row.label:
            return "rounding"
    return ""
