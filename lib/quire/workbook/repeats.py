"""Repeats: a chapter run with other seeds, and each claim judged by what all of them gave.

One run is one draw. `repeat` runs a chapter with several seeds and tells of each claim how often it
held, and between which values its measurement lay. The first run keeps the others' verdicts in its
metadata, from where the scoreboard marks what changed with the seed.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nbformat import NotebookNode

from quire.workbook.cards import ProfileName
from quire.workbook.chapters import Chapter
from quire.workbook.errors import ChapterFailed, UserError
from quire.workbook.parameters import declared, resolve

SEED = "seed"
_KEY = "repeats"
Steadiness = Literal["always", "never", "changed", "not run"]
_HELD = ("reproduced", "holds")
_NOT_RUN = "not run here"
_FAILED = "run failed"


@dataclass(frozen=True)
class Repeated:
    """One claim over all seeds.

    Attributes
    ----------
    verdicts
        Its verdict with each seed, in their order; ``run failed`` where the chapter did.
    steadiness
        ``always`` or ``never`` held, ``changed`` when its verdict is not the same with every seed,
        ``not run`` when it was measured with none.
    low, middle, high
        Least, median and largest measurement; None when it is no number.
    """

    id: str
    role: str
    verdicts: tuple[str, ...]
    steadiness: Steadiness
    low: float | None
    middle: float | None
    high: float | None

    @property
    def counts(self) -> str:
        """How often each verdict came, most frequent first ("reproduced 4, undecided 1")."""
        return ", ".join(f"{word} {n}" for word, n in Counter(self.verdicts).most_common())


def seeds_of(
    chapter: Chapter, given: Mapping[str, Any], profile: ProfileName, times: int
) -> tuple[int, ...]:
    """Return the seeds of a repeat: the chapter's own (or the given one), and those after it.

    Raises
    ------
    UserError
        When ``times`` is no number of runs, the chapter has no whole parameter ``seed``, or a seed
        is out of the card's range.
    """
    if times < 2:
        raise UserError(f"repeat = {times}", "give 2 or more runs")
    parameter = declared(chapter).get(SEED)
    if parameter is None or parameter.type != "int":
        raise UserError(
            f"{chapter.slug} has no parameter {SEED!r}", "repeat a chapter that draws from one"
        )
    first = resolve(chapter, dict(given), profile).get(SEED, parameter.default)
    seeds = tuple(range(first, first + times))
    for seed in seeds:
        parameter.check(seed)
    return seeds


def repeat(
    chapter: Chapter,
    times: int,
    given: Mapping[str, Any] | None = None,
    profile: ProfileName = "default",
    timeout: float | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[NotebookNode, tuple[Repeated, ...]]:
    """Run a chapter with ``times`` seeds and judge each claim by all of them.

    Parameters
    ----------
    chapter
        The chapter; it has a whole parameter ``seed``.
    times
        How many seeds, two or more: the chapter's own and those after it.
    given, profile, timeout
        As for `quire.workbook.execute`; the time is that of one run.
    on_progress
        Told (cells done, cells in all) over all the runs.

    Returns
    -------
    tuple
        The notebook of the first seed, which carries the verdicts of all; and one entry per claim,
        in the order in which the notebook measures them.

    Raises
    ------
    UserError
        For bad input, before a kernel is started.
    ChapterFailed
        When the run with the first seed fails. A later one that fails is an answer: it counts as
        ``run failed`` for every claim.
    """
    from quire.workbook.execution import execute
    from quire.workbook.ledger import stored_claims

    chosen = dict(given or {})
    seeds = seeds_of(chapter, chosen, profile, times)
    first: NotebookNode | None = None
    runs: list[dict[str, dict[str, Any]]] = []
    for index, seed in enumerate(seeds):

        def tell(done: int, total: int, index: int = index) -> None:
            if on_progress is not None:
                on_progress(index * total + done, times * total)

        values = chosen if index == 0 else {**chosen, SEED: seed}
        try:
            executed = execute(chapter, values, profile, timeout, tell)
        except ChapterFailed:
            if first is None:
                raise
            runs.append({})
            continue
        first = executed if first is None else first
        runs.append({claim["id"]: claim for claim in stored_claims(executed)})
    assert first is not None  # the first run raised, or gave it
    found = judge_runs(runs)
    first.metadata["quire"][_KEY] = {
        "seeds": list(seeds),
        "verdicts": {each.id: list(each.verdicts) for each in found},
    }
    return first, found


def judge_runs(runs: Sequence[Mapping[str, Mapping[str, Any]]]) -> tuple[Repeated, ...]:
    """Return each claim over several runs, each given as its stored claims by id; {} failed."""
    ids = dict.fromkeys(identifier for run in runs for identifier in run)
    return tuple(_judged(i, [run.get(i) if run else None for run in runs]) for i in ids)


def told(notebook: NotebookNode) -> dict[str, str]:
    """Return the claims whose verdict changed with the seed, and how often each verdict came."""
    stored = notebook.metadata.get("quire", {}).get(_KEY, {}).get("verdicts", {})
    return {
        identifier: ", ".join(f"{word} {n}" for word, n in Counter(verdicts).most_common())
        for identifier, verdicts in stored.items()
        if len(set(verdicts)) > 1
    }


def _judged(identifier: str, claims: Sequence[Mapping[str, Any] | None]) -> Repeated:
    verdicts = tuple(str(claim["verdict"]) if claim else _FAILED for claim in claims)
    numbers = [
        float(value)
        for claim in claims
        if claim
        and isinstance(value := claim.get("measured"), int | float)
        and not isinstance(value, bool)
    ]
    steadiness: Steadiness = "changed"
    if len(set(verdicts)) == 1:
        word = verdicts[0]
        steadiness = "always" if word in _HELD else "not run" if word == _NOT_RUN else "never"
    return Repeated(
        identifier,
        next(str(claim.get("role", "")) for claim in claims if claim),
        verdicts,
        steadiness,
        min(numbers, default=None),
        statistics.median(numbers) if numbers else None,
        max(numbers, default=None),
    )
