"""The reader of Azure's traces of language models: times, tokens of prompts, tokens generated."""

import csv
import datetime
import gzip
from pathlib import Path

import numpy as np

from quire.serving.workload.trace import Trace

COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")


def read_azure(path: str | Path) -> Trace:
    """Return the trace in one of Azure's CSV files, plain or gzip, from its first request on.

    Requests that generate nothing count as one token.

    Raises
    ------
    ValueError
        For other columns, or a line that is no request; names the line.
    """
    place = Path(path)
    data = place.read_bytes()
    try:
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as fault:
        raise ValueError(f"path = {place.name}: is no CSV file ({fault})") from None
    rows = csv.reader(text.splitlines())
    head = next(rows, [])
    if tuple(head[:3]) != COLUMNS:
        raise ValueError(f"path = {place.name}: must begin with the columns {', '.join(COLUMNS)}")
    found = []
    for number, row in enumerate(rows, start=2):
        if not row:
            continue
        try:
            stamp, digits = row[0].split(".") if "." in row[0] else (row[0], "0")
            whole = datetime.datetime.fromisoformat(stamp).replace(tzinfo=datetime.UTC)
            nanos = int(whole.timestamp()) * 10**9 + int(digits[:9].ljust(9, "0"))
            found.append((nanos, int(row[1]), max(1, int(row[2]))))
        except (ValueError, IndexError) as fault:
            raise ValueError(
                f"path = {place.name}: line {number} is no request ({fault})"
            ) from None
    if not found:
        raise ValueError(f"path = {place.name}: holds no request")
    table = np.array(sorted(found, key=lambda row: row[0]), dtype=np.int64)
    return Trace(table[:, 0] - table[0, 0], table[:, 1], table[:, 2])
