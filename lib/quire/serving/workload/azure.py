"""The reader of Azure's traces of language models: times, tokens of prompts, tokens generated."""

import csv
import datetime
import gzip
import re
import zlib
from pathlib import Path

import numpy as np

from quire.serving.workload.trace import Trace

COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
MOST_TOKENS = 2**40

_STAMP = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?")


def read_azure(path: str | Path) -> Trace:
    """Return the trace in one of Azure's CSV files, plain or gzip, from its first request on.

    Requests that generate nothing count as one token.

    Times are read as written, of one zone and without its name; nanoseconds are kept.

    Raises
    ------
    ValueError
        For other columns, or a line that is no request; names the line.
    """
    place = Path(path)
    data = place.read_bytes()
    try:
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8-sig")
        rows = list(csv.reader(text.splitlines()))
    except (OSError, EOFError, UnicodeDecodeError, zlib.error, csv.Error) as fault:
        raise ValueError(f"path = {place.name}: is no CSV file ({fault})") from None
    if not rows or tuple(rows[0][:3]) != COLUMNS:
        raise ValueError(f"path = {place.name}: must begin with the columns {', '.join(COLUMNS)}")
    found = []
    for number, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        try:
            if len(row) < 3:
                raise ValueError(f"{len(row)} of three columns")
            prompt, answer = _tokens(row[1], 1), max(1, _tokens(row[2], 0))
            found.append((_nanoseconds(row[0]), prompt, answer, number))
        except ValueError as fault:
            raise ValueError(
                f"path = {place.name}: line {number} is no request ({fault})"
            ) from None
    if not found:
        raise ValueError(f"path = {place.name}: holds no request")
    found.sort(key=lambda row: row[0])
    begin, last = found[0][0], found[-1]
    if last[0] - begin >= 2**63:
        years = (last[0] - begin) / 3.1557e16
        raise ValueError(
            f"path = {place.name}: line {last[3]} is {years:.0f} years after the first request: "
            "must be 292 at most"
        )
    table = np.array([(at - begin, p, a) for at, p, a, _ in found], dtype=np.int64)
    return Trace(table[:, 0], table[:, 1], table[:, 2])


def _nanoseconds(text: str) -> int:
    """Return a time in nanoseconds, from a time of the years 1 to 9999 without a zone.

    Raises
    ------
    ValueError
        For anything else.
    """
    parts = _STAMP.fullmatch(text)
    if parts is None:
        raise ValueError(f"{text[:40]!r}: must be a time such as 2023-11-16 18:17:03.9799600")
    whole = datetime.datetime.fromisoformat(parts[1]) - datetime.datetime(1970, 1, 1)
    fraction = (parts[2] or "")[:9].ljust(9, "0")
    return (whole.days * 86400 + whole.seconds) * 10**9 + int(fraction)


def _tokens(text: str, least: int) -> int:
    """Return a number of tokens, written in plain digits.

    Raises
    ------
    ValueError
        For anything else.
    """
    plain = text.isascii() and text.isdigit() and len(text) < 14
    if not plain or not least <= int(text) <= MOST_TOKENS:
        raise ValueError(f"{text[:40]!r}: must be a whole number of tokens, {least} to 2^40")
    return int(text)
