"""Induce templates from lines: which words are constant, which vary, with one setting for all.

The lines are masked (`masking.mask`), cut into words, and put apart by their number of words. Then,
after Brain (Yu, He, Zhang, He, IEEE TSC 2023):

1. The words of a line that occur equally often in their places are likely to belong together. The
   largest such set is the line's *root*.
2. Lines of one root stay together. A more frequent word beside it varies where the group has
   several; a less frequent place splits the group where it has few words, and varies where it has
   many.
3. Templates that are equal once runs of wildcards are one are joined.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from quire import checks
from quire.self_healing.errors import sequence_of_text
from quire.self_healing.perception.masking import mask
from quire.self_healing.perception.metrics import WILDCARD, normalise_template

_PARTS = re.compile(r"""([\s=:,;()\[\]{}"'|]+)""")
_RUN = re.compile(r"<\*>(?:[\s.,:;=/_-]*<\*>)+")


@dataclass(frozen=True)
class Parse:
    """The groups of a log's lines.

    Attributes
    ----------
    groups
        The number of its group, for every line.
    templates
        The text of every group.
    """

    groups: tuple[int, ...]
    templates: tuple[str, ...]

    @property
    def line_templates(self) -> list[str]:
        """The template of every line."""
        return [self.templates[group] for group in self.groups]


@dataclass(frozen=True)
class _Line:
    words: tuple[str, ...]
    shown: tuple[str, ...]
    separators: tuple[str, ...]


def induce(contents: Any, branches: Any = 4, share: Any = 0.5) -> Parse:
    """Group lines and write a template for each group.

    Parameters
    ----------
    contents
        One text a line, without its header.
    branches
        A place with more words than this in its group varies.
    share
        A root must be at least this share as frequent as the line's most frequent words.

    Raises
    ------
    ValueError
        For no lines, something else than text, ``branches < 1`` or a share outside (0, 1).
    """
    lines = sequence_of_text("contents", contents)
    checks.integer("branches", branches)
    checks.between("share", share, 0.0, 1.0)
    masked = {text: mask(text) for text in dict.fromkeys(lines)}
    counts = Counter(masked[text] for text in lines)
    cut = {text: _cut(text) for text in counts}
    by_length: dict[object, list[str]] = defaultdict(list)
    for text, line in cut.items():
        by_length[len(line.words)].append(text)
    written: dict[str, str] = {}
    for texts in by_length.values():
        for members in _grouped(texts, cut, counts, branches, share):
            template = _template([cut[text] for text in members])
            for text in members:
                written[text] = template
    joined = _joined(written, counts)
    written = {text: joined[template] for text, template in written.items()}
    numbers: dict[str, int] = {}
    groups = tuple(numbers.setdefault(written[masked[text]], len(numbers)) for text in lines)
    return Parse(groups, tuple(numbers))


def _cut(text: str) -> _Line:
    parts = _PARTS.split(text)
    return _Line(
        tuple(WILDCARD if WILDCARD in word else word for word in parts[::2]),
        tuple(parts[::2]),
        tuple(parts[1::2]),
    )


def _grouped(
    texts: list[str], cut: dict[str, _Line], counts: Counter[str], branches: int, share: float
) -> list[list[str]]:
    """Return groups of lines that have the same number of words."""
    frequency: Counter[tuple[int, str]] = Counter()
    for text in texts:
        for word in enumerate(cut[text].words):
            frequency[word] += counts[text]
    roots: dict[tuple[int, tuple[tuple[int, str], ...]], list[str]] = defaultdict(list)
    for text in texts:
        roots[_root(cut[text].words, frequency, share)].append(text)
    groups = []
    for (level, root), members in roots.items():
        fixed = {place for place, _ in root}
        rest = [p for p in range(len(cut[members[0]].words)) if p not in fixed]
        less = []
        for place in rest:
            words = {cut[text].words[place] for text in members}
            often = min(frequency[place, word] for word in words)
            if len(words) > 1 and often <= level:
                less.append(place)
        groups += _split(members, less, cut, branches)
    return groups


def _root(
    words: tuple[str, ...], frequency: Counter[tuple[int, str]], share: float
) -> tuple[int, tuple[tuple[int, str], ...]]:
    sets: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for place, word in enumerate(words):
        if word != WILDCARD and word:
            sets[frequency[place, word]].append((place, word))
    if not sets:
        return 0, ()
    top = max(sets)
    able = [level for level in sets if level >= share * top]
    level = max(able, key=lambda n: (len(sets[n]), n))
    return level, tuple(sets[level])


def _split(
    members: list[str], places: list[int], cut: dict[str, _Line], branches: int
) -> list[list[str]]:
    """Split a group at the place with the fewest words, again and again."""
    best: tuple[int, int] | None = None
    for place in places:
        words = {cut[text].words[place] for text in members}
        if 1 < len(words) <= branches and WILDCARD not in words:
            best = min(best, (len(words), place)) if best else (len(words), place)
    if best is None:
        return [members]
    parts: dict[str, list[str]] = defaultdict(list)
    for text in members:
        parts[cut[text].words[best[1]]].append(text)
    rest = [place for place in places if place != best[1]]
    return [group for part in parts.values() for group in _split(part, rest, cut, branches)]


def _joined(written: dict[str, str], counts: Counter[str]) -> dict[str, str]:
    """Return for every template the one that it becomes.

    Templates are joined whose text is equal once wildcards with only marks between them are one. A
    template is absorbed by a more frequent one that matches it, where each wildcard stands for a
    word with a value in it.
    """
    lines: Counter[str] = Counter()
    for text, template in written.items():
        lines[template] += counts[text]
    first: dict[str, str] = {}
    order = sorted(lines, key=lambda t: (-lines[t], t))
    became = {}
    for template in order:
        became[template] = first.setdefault(_RUN.sub(WILDCARD, template), template)
    kept = [template for template in order if became[template] == template]
    patterns: list[tuple[re.Pattern[str], str]] = []
    for template in kept:
        for pattern, larger in patterns:
            if pattern.fullmatch(template):
                became[template] = larger
                break
        else:
            constant = [p for p in _PARTS.split(template)[::2] if p and WILDCARD not in p]
            if len(constant) >= 2:
                text = re.escape(template).replace(re.escape(WILDCARD), r"\S*<\*>\S*")
                patterns.append((re.compile(text), template))
    return {template: became[became[template]] for template in order}


def _template(lines: list[_Line]) -> str:
    columns = zip(*(line.shown for line in lines), strict=True)
    words = [column[0] if len(set(column)) == 1 else _common(column) for column in columns]
    separators = lines[0].separators
    text = words[0] + "".join(s + w for s, w in zip(separators, words[1:], strict=True))
    return normalise_template(text)


def _common(words: Sequence[str]) -> str:
    """Return the start that words with a value share, up to its last mark, and a wildcard."""
    least, most = min(words), max(words)
    same = next(
        (k for k, (a, b) in enumerate(zip(least, most, strict=False)) if a != b), len(least)
    )
    if not all(WILDCARD in word for word in words):
        return WILDCARD
    return re.sub(r"(?<![_-])[^_-]*$", "", least[:same].split("<")[0]) + WILDCARD
