"""Grids: the values that a study sweeps, typed on a command line or given in Python.

A sweep is ``name=values``, the values separated by commas. Each is one of

* a number, a word or a bracketed list, as for a single run: ``1``, ``plain``, ``[[1, 2, 3]]``;
* ``start:stop:count``, that many evenly spaced numbers from start to stop, both included. They are
  whole numbers where start and stop are and the spacing allows it.

A parameter declared ``str`` takes each value as the text it is (quotes protect a comma or the empty
text); it has no ranges.

The points of a study are the product of all sweeps, the last one varying fastest.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from quire.workbook.cards import ProfileName
from quire.workbook.chapters import Chapter
from quire.workbook.errors import UserError, quoted
from quire.workbook.parameters import Parameter, declared, parse_value, plain, resolve, unknown

MOST_POINTS = 100_000
"""More points than this in one study are taken for a slip of the pen."""

_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_RANGE = re.compile(rf"({_NUMBER}):({_NUMBER}):([0-9]{{1,18}})")
_LIKE_RANGE = re.compile(r"[0-9.eE+-]+(:[0-9.eE+-]*)+")
_QUOTED = re.compile(r"\s*([\"'])(?P<text>.*?)\1\s*(?P<comma>,|$)", re.DOTALL)
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_OPENING, _CLOSING = "[({", "])}"


def parse_grid(
    assignments: Mapping[str, str], known: Mapping[str, Parameter] | None = None
) -> dict[str, list[Any]]:
    """Read the values of each sweep, typed as ``a=1,2,4`` or ``b=0.1:0.9:5``.

    Parameters
    ----------
    assignments
        The text of each sweep, by name.
    known
        The declared parameters, by which a value is read; without them, by how it looks.

    Raises
    ------
    UserError
        For a sweep without values, an empty value, brackets that do not close, or a range of fewer
        than two points.
    """
    return {name: _sweep(name, text, (known or {}).get(name)) for name, text in assignments.items()}


def parse_sweeps(chapter: Chapter, assignments: Mapping[str, str]) -> dict[str, list[Any]]:
    """Read the sweeps of ``chapter`` as `parse_grid` does, by its declared parameters.

    Raises
    ------
    UserError
        For a parameter that the chapter does not have, and as `parse_grid`.
    """
    known = declared(chapter)
    for name in assignments:
        if name not in known:
            refusal = unknown(chapter, name, known)
            raise refusal
    return parse_grid(assignments, known)


def points_of(
    chapter: Chapter,
    grid: Mapping[str, Sequence[Any]],
    profile: ProfileName = "default",
    given: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Return the parameters of every point of a study: all that the chapter declares, checked.

    Parameters
    ----------
    chapter
        The chapter to sweep.
    grid
        The values of each swept parameter.
    profile
        The card's values for the others.
    given
        Values that win over the profile's, the same for all points.

    Raises
    ------
    UserError
        For an empty sweep, an unknown parameter, one that is both given and swept, a value of a
        wrong type, out of range or listed twice, or more than `MOST_POINTS` points.
    """
    fixed = dict(given or {})
    if not grid:
        raise UserError("nothing to sweep", "give values, as in -p a=1,2,4")
    known = declared(chapter)
    sweeps: dict[str, list[Any]] = {}
    for name, values in grid.items():
        if name in fixed:
            raise UserError(f"parameter {name} is both given and swept", "do one of the two")
        if isinstance(values, str) or len(values) == 0:
            raise UserError(f"the sweep over {name} has no values", f"write -p {name}=1,2,4")
        swept = [plain(value) for value in values]
        resolve(chapter, {name: swept[0]}, profile)  # knows what to say of an unknown name
        located = [known[name].located(value) for value in swept]
        sweeps[name] = [plain(known[name].check(value)) for value in located]
        _refuse_doubles(name, sweeps[name])
    size = math.prod(len(values) for values in sweeps.values())
    if size > MOST_POINTS:
        raise UserError(
            f"the grid has {size:,} points", f"sweep at most {MOST_POINTS:,} in one study"
        )
    base = {name: parameter.default for name, parameter in known.items()}
    base |= resolve(chapter, fixed, profile)
    return [
        {
            name: plain(known[name].check(value))
            for name, value in (base | dict(zip(sweeps, chosen, strict=True))).items()
        }
        for chosen in itertools.product(*sweeps.values())
    ]


def _split(name: str, text: str) -> list[str]:
    """Split at the commas that stand outside brackets and quotes.

    Raises
    ------
    UserError
        For no value, an empty one, or a bracket or quote that does not close.
    """
    words, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in _OPENING:
            depth += 1
        elif letter in _CLOSING:
            depth -= 1
        if letter == "," and depth == 0 and not quote:
            words.append("")
        else:
            words[-1] += letter
        if depth < 0:
            break
    if depth or quote:
        raise UserError(f"-p {name}={text}: a bracket or quote does not close", "close it")
    if not text.strip():
        raise UserError(f"the sweep over {name} has no values", f"write -p {name}=1,2,4")
    if not all(word.strip() for word in words):
        raise UserError(f"-p {name}={text} has an empty value", "leave out the spare comma")
    return [word.strip() for word in words]


def _sweep(name: str, text: str, parameter: Parameter | None) -> list[Any]:
    if parameter is None or not parameter.takes_text:
        return [value for word in _split(name, text) for value in _values(name, word, parameter)]
    return [""] if not text else _texts(name, text)


def _texts(name: str, text: str) -> list[Any]:
    """Split the texts of a sweep at commas; a whole value in quotes may hold some, or be empty.

    Raises
    ------
    UserError
        For an empty value without quotes.
    """
    found: list[str] = []
    rest: str | None = text
    while rest is not None:
        quoted_one = _QUOTED.match(rest)
        word, comma, after = ("", "", "") if quoted_one else rest.partition(",")
        if quoted_one:
            word, comma, after = quoted_one["text"], quoted_one["comma"], rest[quoted_one.end() :]
        elif not word.strip():
            raise UserError(f"-p {name}={text} has an empty value", "leave out the spare comma")
        found.append(word if quoted_one else word.strip())
        rest = after if comma else None
    return found


def _values(name: str, word: str, parameter: Parameter | None) -> list[Any]:
    match = _RANGE.fullmatch(word)
    if match is None:
        if parameter is not None and _LIKE_RANGE.fullmatch(word):
            raise UserError(f"-p {name}={word} is no range", "write start:stop:count, count >= 2")
        return [parse_value(word) if parameter is None else parameter.parse(word)]
    start, stop, count = float(match[1]), float(match[2]), int(match[3])
    if count > MOST_POINTS:
        raise UserError(
            f"-p {name}={word} is a range of {count:,} points",
            f"sweep at most {MOST_POINTS:,} in one study",
        )
    if count < 2 or not math.isfinite(start) or not math.isfinite(stop):
        raise UserError(
            f"-p {name}={word} is a range of {count} points", "write start:stop:count, count >= 2"
        )
    if _WHOLE.fullmatch(match[1]) and _WHOLE.fullmatch(match[2]):
        first, last = int(match[1]), int(match[2])
        if (last - first) % (count - 1) == 0:
            step = (last - first) // (count - 1)
            return [first + step * index for index in range(count)]
    # Twelve digits: what a person would have typed, 0.3 and not 0.30000000000000004.
    inner = [float(f"{value:.12g}") for value in np.linspace(start, stop, count)[1:-1]]
    return [start, *inner, stop]


def _refuse_doubles(name: str, values: list[Any]) -> None:
    seen = set()
    for value in values:
        text = json.dumps(value, sort_keys=True)
        if text in seen:
            raise UserError(f"the sweep over {name} lists {quoted(value)} twice", "list it once")
        seen.add(text)
