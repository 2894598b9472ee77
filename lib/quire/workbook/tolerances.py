"""Two texts, or two pieces of JSON data, compared as people would: words alike, numbers near."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from quire.workbook.cards import Tolerance

DEFAULT = Tolerance(abs=1e-9, rel=1e-6)
"""What another processor may change in a number of which its cell says nothing."""

# A number that stands by itself: not inside a name (r500), a version (1.2.3) or an id (15.2-few).
_NUMBER = re.compile(
    r"(?<![\w.#])(?P<sign>[-+−](?=[.\d]))?"
    r"(?P<digits>(?:\d{1,3}(?:,\d{3})++(?!\d)|\d++)(?:\.\d++)?+|\.\d++)"
    r"(?P<power>[eE][-+]?\d++)?+(?!\w*-[A-Za-z]|\.\d)"
)
_RULE = re.compile(r"([-─━=_·.])\1{2,}")


def text_difference(a: str, b: str, tolerance: Tolerance, declared: bool = False) -> str | None:
    """Return how text ``b`` differs from ``a``, or None when words agree and numbers are near.

    Runs of white space and of rules count as one, since columns follow the width of their numbers.
    A number given to three significant digits or more may differ by one in its last place: the
    value may lie on the edge between two. A whole number is a count and must agree, unless the
    cell declared a tolerance.

    Parameters
    ----------
    a, b
        The texts.
    tolerance
        How far numbers may lie apart.
    declared
        Whether the cell itself chose the tolerance, so that whole numbers follow it, too.
    """
    words_a, numbers_a = _split(a)
    words_b, numbers_b = _split(b)
    if words_a != words_b:
        return _first_difference(words_a, words_b)
    for one, other in zip(numbers_a, numbers_b, strict=True):
        if not _printed_alike(one, other, tolerance, declared):
            return f"{one} became {other}"
    return None


def data_differences(
    a: Any, b: Any, tolerance: Tolerance, declared: bool = False, at: str = ""
) -> Iterator[str]:
    """Yield where JSON data ``b`` differs from ``a``: other keys, other words, numbers too far.

    Numbers in data are held to the rules of printed ones (`text_difference`): most were rounded.
    """
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        if list(a) != list(b) and set(a) != set(b):
            yield f"{at or '.'}: keys {sorted(a.keys() ^ b.keys())} are in one of them only"
            return
        for key in a:
            yield from data_differences(a[key], b[key], tolerance, declared, f"{at}.{key}")
    elif isinstance(a, list | tuple) and isinstance(b, list | tuple):
        if len(a) != len(b):
            yield f"{at or '.'}: {len(a)} items became {len(b)}"
            return
        for index, (one, other) in enumerate(zip(a, b, strict=True)):
            yield from data_differences(one, other, tolerance, declared, f"{at}[{index}]")
    elif isinstance(a, str) and isinstance(b, str):
        fault = text_difference(a, b, tolerance, declared)
        if fault:
            yield f"{at or '.'}: {fault}"
    elif not _alike(a, b, tolerance, declared):
        yield f"{at or '.'}: {a!r} became {b!r}"


def near(a: float, b: float, tolerance: Tolerance) -> bool:
    """Return whether two numbers lie within ``tolerance`` of each other."""
    if not (math.isfinite(a) and math.isfinite(b)):
        return a == b or (a != a and b != b)
    return abs(a - b) <= tolerance.abs + tolerance.rel * max(abs(a), abs(b))


def _alike(a: Any, b: Any, tolerance: Tolerance, declared: bool) -> bool:
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (a, b))
    if not numbers:
        return type(a) is type(b) and a == b
    # a number in data was rounded as one in print was: the same rule for its last place
    return _printed_alike(repr(a), repr(b), tolerance, declared)


def _split(text: str) -> tuple[str, list[str]]:
    """Return ``text`` with a mark for each number, and the numbers."""
    numbers = [found.group() for found in _NUMBER.finditer(text)]
    words = _RULE.sub(r"\1\1", _NUMBER.sub("\0", text))
    return re.sub(r"\s+", " ", words).strip(), numbers


_WORDS = ("nan", "inf", "-inf")


def _printed_alike(a: str, b: str, tolerance: Tolerance, declared: bool) -> bool:
    if a == b:
        return True
    if a in _WORDS or b in _WORDS:
        return False
    x, y = _value(a), _value(b)
    if not declared and _is_count(a) and _is_count(b):
        return x == y
    if near(x, y, tolerance):
        return True
    # the finer of the two last places, for 0.42 is 0.420; with a hair for binary rounding
    last = min(_last_place(text) for text in (a, b))
    return max(_digits(a), _digits(b)) >= 3 and abs(x - y) <= last * 1.000001


def _value(text: str) -> float:
    return float(text.replace(",", "").replace("−", "-"))


def _is_count(text: str) -> bool:
    return not re.search(r"[.eE]", text)


def _digits(text: str) -> int:
    mantissa = re.split(r"[eE]", text)[0]
    return len(re.sub(r"\D", "", mantissa).lstrip("0"))


def _last_place(text: str) -> float:
    mantissa, _, power = text.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    return float(10.0 ** (int(power or 0) - decimals))


def _first_difference(a: str, b: str) -> str:
    at = next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
    start = max(0, at - 20)
    told = [repr(text[start : at + 40].replace("\0", "#")) for text in (a, b)]
    return f"{told[0]} became {told[1]}"
