"""Masks: patterns replaced by a wildcard before any template is sought.

``GENERAL`` is one list for every system, made of kinds of values (addresses, numbers, paths) and of
no system's wording. ``BENCHMARK`` are the per-system patterns that logparser's benchmark gives to
Drain; only the Drain baseline uses them.
"""

import re
from typing import Any

_EDGE = r"(?<![A-Za-z0-9_])(?<!_-)"
_END = r"(?![A-Za-z0-9_])"

_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_ZONE = r"(?: +[A-Z]{3,4})?(?: +\d{4})?"
_CLOCK = r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?"
_OFFSET = r"(?:Z| ?[-+]\d\d:?\d\d)?"
_HEX4 = r"[0-9a-fA-F]{1,4}"
_SIX = rf"{_HEX4}(?::{_HEX4}){{0,6}}"
_LABELS = r"(?:[A-Za-z0-9](?:[\w-]{0,62})\.)"
_LOWER = r"(?:[a-z0-9](?:[a-z0-9-]{0,62})\.)"
# Ends of file names that look like the end of a host's name, as in Worker.java:17.
_NO_HOST = r"(?!(?:java|scala|kt|py|c|cc|cpp|cxx|h|hpp|m|mm|go|rs|js|ts|rb|php|cs|sh)\b)"

# In this order: what contains another kind of value comes first.
GENERAL: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("url", r"\b[a-z][a-z0-9+.-]{0,30}://[^\s,;\"'<>\]\)]+"),
        (
            "user and host",
            rf"(?<![\w.+-])[\w.+-]{{1,64}}@{_LABELS}{{1,8}}[A-Za-z]{{2,24}}(?![\w-])",
        ),
        (
            "host before a port",
            rf"(?<![\w.@/-]){_LOWER}{{1,8}}{_NO_HOST}[a-z]{{2,24}}(?=:\d{{1,5}}(?![\w.:]))",
        ),
        ("uuid", _EDGE + r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}" + _END),
        (
            "address of version 6",
            rf"(?<![\w:.])(?=[0-9a-fA-F:]*\d)(?:(?:{_HEX4}:){{7}}{_HEX4}"
            rf"|(?:{_SIX})?::(?:{_SIX})?(?:\.\d{{1,3}}){{0,3}})(?:%\w+)?(?![\w:])",
        ),
        ("mac address", _EDGE + r"(?:[0-9a-fA-F]{2}:){5,}[0-9a-fA-F]{2}" + _END),
        ("address", r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\w)"),
        ("date", rf"\b(?:{_DAY} +)?{_MONTH} +\d{{1,2}},? +{_CLOCK}{_ZONE}"),
        ("date and time", _EDGE + rf"\d{{4}}-\d\d-\d\dT{_CLOCK}{_OFFSET}" + _END),
        (
            "date with a month's name",
            _EDGE + rf"\d{{1,2}}([-/ ]){_MONTH}\1\d{{4}}(?:[: ]{_CLOCK}{_OFFSET})?" + _END,
        ),
        ("time below", r"(?<!\S)<\d+(?:\.\d+)? ?(?:ms|us|ns|s|secs?|seconds?|min|h)" + _END),
        ("clock", _EDGE + _CLOCK + _END),
        ("path", r"(?<![\w<>*.)/])(?:/[\w.+$@~%#-]+){2,}/?(?:\?[^\s\"']*)?"),
        ("hexadecimal", _EDGE + r"(?:0x[0-9a-fA-F]+|(?=[a-fA-F]*\d)[0-9a-fA-F]{8,})" + _END),
        ("size", _EDGE + r"\d+(?:\.\d+)? ?[KMGT]?i?B" + _END),
        ("number", r"(?<![A-Za-z_])(?<!_-)[-+]?(?<![\w.])\d+(?:[.,]\d+)*%?" + _END),
        ("absent value", r"(?<!\w\()(?<=\()(?=\))"),
    )
)

# Characters without which a kind of value can not be there, "0" standing for any digit: looking for
# them takes less time than looking for the pattern.
_MARKS = {
    "url": "://",
    "user and host": "@.",
    "host before a port": ".:0",
    "uuid": "-",
    "address of version 6": ":0",
    "mac address": ":",
    "address": ".0",
    "date": ":0",
    "date and time": "-T:0",
    "date with a month's name": "0",
    "time below": "<0",
    "clock": ":0",
    "path": "/",
    "hexadecimal": "0",
    "size": "B0",
    "number": "0",
    "absent value": "()",
}
_STEPS = tuple((_MARKS[name], pattern) for name, pattern in GENERAL)
_DIGIT = re.compile(r"\d")

BENCHMARK: dict[str, tuple[str, ...]] = {
    "HDFS": (r"blk_-?\d+", r"(\d+\.){3}\d+(:\d+)?"),
    "Hadoop": (r"(\d+\.){3}\d+",),
    "Spark": (r"(\d+\.){3}\d+", r"\b[KGTM]?B\b", r"([\w-]+\.){2,}[\w-]+"),
    "Zookeeper": (r"(/|)(\d+\.){3}\d+(:\d+)?",),
    "BGL": (r"core\.\d+",),
    "HPC": (r"=\d+",),
    "Thunderbird": (r"(\d+\.){3}\d+",),
    "Windows": (r"0x.*?\s",),
    "Linux": (r"(\d+\.){3}\d+", r"\d{2}:\d{2}:\d{2}"),
    "Android": (
        r"(/[\w-]+)+", r"([\w-]+\.){2,}[\w-]+",
        r"\b(\-?\+?\d+)\b|\b0[Xx][a-fA-F\d]+\b|\b[a-fA-F\d]{4,}\b",
    ),
    "HealthApp": (),
    "Apache": (r"(\d+\.){3}\d+",),
    "Proxifier": (r"<\d+\ssec", r"([\w-]+\.)+[\w-]+(:\d+)?", r"\d{2}:\d{2}(:\d{2})*", r"[KGTM]B"),
    "OpenSSH": (r"(\d+\.){3}\d+", r"([\w-]+\.){2,}[\w-]+"),
    "OpenStack": (r"((\d+\.){3}\d+,?)+", r"/.+?\s", r"\d+"),
    "Mac": (r"([\w-]+\.){2,}[\w-]+",),
}  # fmt: skip


_INNER = re.compile(r"(?<![^\s=:,;()\[\]{}\"'|])[^\s=:,;()\[\]{}\"'|]*\d[^\s=:,;()\[\]{}\"'|]*")
_UNIT = re.compile(r"[-+]?\d[\d.,]*(ms|us|ns|s|sec|min|h)")


def mask(text: Any) -> str:
    """Return a line with every value of ``GENERAL`` replaced by ``<*>``.

    What is left of a word that holds a digit is ``<*>`` from its first digit on: ``blk_17`` reads
    ``blk_<*>``, a unit of time stays.

    Raises
    ------
    ValueError
        For something else than text.
    """
    if not isinstance(text, str):
        raise ValueError(f"text = {text!r}: must be text")
    there = set(text)
    if _DIGIT.search(text):
        there.add("0")
    for marks, pattern in _STEPS:
        if there.issuperset(marks):
            text = pattern.sub("<*>", text)
    return _INNER.sub(_shorten, text) if "0" in there else text


def _shorten(match: re.Match[str]) -> str:
    word = match.group()
    unit = _UNIT.fullmatch(word)
    if unit:
        return f"<*>{unit.group(1)}"
    head = re.split(r"\d|<\*>", word, maxsplit=1)[0]
    end = re.search(r"[.!?]*$", word)
    return re.sub(r"(?<![A-Za-z])[-+]$", "", head) + "<*>" + (end.group() if end else "")
