"""How well lines were grouped and templates were written: three metrics that are never mixed.

*Grouping accuracy* (GA) asks whether the lines of a group are exactly the lines of one true
template; it never looks at the template's text. *Parsing accuracy* (PA) asks, line by line, whether
the text is right. FGA and FTA ask both per template instead of per line, as F1 scores.
"""

import re
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from quire.self_healing.errors import same_length, sequence_of_text
from quire.signatures import checked

WILDCARD = "<*>"
_WILDCARDS = re.compile(r"<[^<>\s]{0,40}>|\[\*\]")
_RUN = re.compile(r"<\*>(?:\s*<\*>)+")


@dataclass(frozen=True)
class Scores:
    """The metrics of one parse of one log.

    Attributes
    ----------
    ga
        Share of lines in a group that equals a true group, line for line.
    pa
        Share of lines whose template reads as the true one.
    fga
        F1 of groups: those that equal a true group, over found and over true ones.
    fta
        F1 of templates: groups that equal a true group and carry its template.
    found, true
        Number of groups.
    """

    ga: float
    pa: float
    fga: float
    fta: float
    found: int
    true: int


@checked
def normalise_template(template: str) -> str:
    """Return a template with one kind of wildcard, runs of it as one, and single blanks.

    ``[*]`` of Loghub's HDFS templates and ``<name>`` count as ``<*>``. Applying it twice changes
    nothing.
    """
    text = " ".join(_WILDCARDS.sub(WILDCARD, template).split())
    return _RUN.sub(WILDCARD, text)


@checked
def loose_template(template: str) -> str:
    """Return a template as the paper's code compares it: lower case, ``<...>`` as VAR, no marks."""
    text = re.sub(r"<[^<>]*>|\[\*\]", " VAR ", template)
    words = re.sub(r"[^0-9a-z]+", " ", text.lower().replace("var", " var ")).split()
    return " ".join(words)


def grouping_accuracy(found: Any, true: Any) -> float:
    """Return the share of lines whose group holds exactly the lines of a true group.

    Raises
    ------
    ValueError
        For sequences of two lengths, or without a line.
    """
    same_length("found", found, "true", true)
    exact = _exact_groups(found, true)
    return sum(len(lines) for lines in exact) / len(true)


def parsing_accuracy(found: Any, true: Any) -> float:
    """Return the share of lines whose normalised template equals the true one.

    Raises
    ------
    ValueError
        For sequences of two lengths, without a line, or of something else than text.
    """
    same_length("found", found, "true", true)
    sequence_of_text("found", found)
    sequence_of_text("true", true)
    cache: dict[str, str] = {}

    def normal(text: str) -> str:
        if text not in cache:
            cache[text] = normalise_template(text)
        return cache[text]

    return sum(normal(a) == normal(b) for a, b in zip(found, true, strict=True)) / len(true)


def score(
    groups: Any,
    templates: Any,
    true_groups: Any,
    true_templates: Any,
) -> Scores:
    """Return all metrics of one parse; each argument has an entry a line.

    Raises
    ------
    ValueError
        For sequences of different lengths, without a line, or of something else than text.
    """
    same_length("groups", groups, "true_groups", true_groups)
    same_length("templates", templates, "true_groups", true_groups)
    pa = parsing_accuracy(templates, true_templates)
    exact = _exact_groups(groups, true_groups)
    count, wanted = len(set(groups)), len(set(true_groups))
    right = sum(
        normalise_template(templates[lines[0]]) == normalise_template(true_templates[lines[0]])
        for lines in exact
    )
    return Scores(
        ga=sum(map(len, exact)) / len(true_groups),
        pa=pa,
        fga=2 * len(exact) / (count + wanted),
        fta=2 * right / (count + wanted),
        found=count,
        true=wanted,
    )


def repaired(groups: Any, templates: Any, true_templates: Any) -> list[str]:
    """Return templates of the second half, each group's replaced by its majority in the first.

    A group that the first half does not hold keeps what it has. The answer has ``n - n // 2``
    entries.

    Raises
    ------
    ValueError
        For sequences of different lengths, or without a line.
    """
    same_length("groups", groups, "templates", templates)
    same_length("groups", groups, "true_templates", true_templates)
    half = len(groups) // 2
    votes: dict[Hashable, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for group, true in zip(groups[:half], true_templates[:half], strict=True):
        votes[group][true] += 1
    best = {group: max(sorted(count), key=count.__getitem__) for group, count in votes.items()}
    return [best.get(g, t) for g, t in zip(groups[half:], templates[half:], strict=True)]


def _exact_groups(found: Sequence[Hashable], true: Sequence[Hashable]) -> list[list[int]]:
    """Return the lines of every found group that equals a true group."""
    lines: dict[Hashable, list[int]] = defaultdict(list)
    sizes: dict[Hashable, int] = defaultdict(int)
    for number, (group, wanted) in enumerate(zip(found, true, strict=True)):
        lines[group].append(number)
        sizes[wanted] += 1
    exact = []
    for members in lines.values():
        meant = {true[number] for number in members}
        if len(meant) == 1 and sizes[meant.pop()] == len(members):
            exact.append(members)
    return exact
