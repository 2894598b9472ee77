"""Logs of real servers and of the reference simulator, and the tables published of them."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from quire.serving.profiles.csvfiles import read_columns
from quire.serving.workload.metrics import Served, served
from quire.signatures import checked

_STAMPS = ("queued_ts", "first_token_ts", "last_token_ts")


@checked
def read_vllm_log(path: str | Path) -> Served:
    """Return what a vLLM server logged, one JSON object a line, in the order of the workload.

    ``arrival_time`` is wall clock and the other stamps are monotonic, so that ``queued_ts`` is the
    origin. The number in ``request_id`` is the request's place in the workload.

    Raises
    ------
    ValueError
        For a line without stamps, or two lines of one request.
    """
    rows: dict[int, dict[str, Any]] = {}
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            place = int(re.findall(r"\d+", str(row["request_id"]))[-1])
            for name in (*_STAMPS, "output_toks"):
                row[name] = float(row[name])
            if not 0 <= row["output_toks"] < 2**53:
                raise ValueError("output_toks must be a number of tokens")
        except (ValueError, KeyError, TypeError, IndexError) as fault:
            raise ValueError(
                f"path = {Path(path).name}: line {number} is no request ({fault!r})"
            ) from None
        if place in rows:
            raise ValueError(f"path = {Path(path).name}: request {place} stands twice")
        rows[place] = row
    if not rows:
        raise ValueError(f"path = {Path(path).name}: holds no request")
    table = [rows[place] for place in sorted(rows)]
    queued, first, last = (np.array([row[name] for row in table]) for name in _STAMPS)
    tokens = np.array([row["output_toks"] for row in table]).astype(np.int64)
    return served(queued, first, last, tokens, unit=1e3)


@checked
def read_simulator_log(path: str | Path) -> Served:
    """Return what LLMServingSim wrote of each request, in the order of the workload.

    Its rows stand in the order of completion; times are nanoseconds.

    Raises
    ------
    ValueError
        When a column is missing.
    """
    table = read_columns(path)
    for name in ("request id", "output", "arrival", "end_time", "TTFT"):
        if name not in table:
            raise ValueError(f"path = {Path(path).name}: has no column {name!r}")
    order = np.argsort(table["request id"], kind="stable")
    arrival, last, ttft = (table[k][order] for k in ("arrival", "end_time", "TTFT"))
    return served(arrival, arrival + ttft, last, table["output"][order].astype(np.int64), unit=1e-6)


@checked
def read_published(path: str | Path) -> dict[tuple[str, str], tuple[float, float]]:
    """Return the published table of a run: (vLLM's, the simulator's) milliseconds by cell.

    Raises
    ------
    ValueError
        When no row can be read.
    """
    names = {"TTFT": "TTFT", "TPOT": "TPOT", "Latency": "latency"}
    cells = {}
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        found = re.match(r"(TTFT|TPOT|Latency) (\w+)\s+([\d.]+)\s+([\d.]+)\s", line)
        if found:
            kind, statistic, real, simulated = found.groups()
            statistic = statistic.lower() if statistic in ("Mean", "Median") else statistic
            cells[names[kind], statistic] = (float(real), float(simulated))
    if not cells:
        raise ValueError(f"path = {Path(path).name}: has no row such as 'TTFT Mean 1.0 2.0 +1.0%'")
    return cells


@checked
def read_simulator_summary(path: str | Path) -> dict[str, float]:
    """Return the numbers of the reference simulator's summary by their names, and its wall seconds.

    Raises
    ------
    ValueError
        When no line can be read.
    """
    found: dict[str, float] = {}
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        clock = re.match(r"Total simulation time: (\d+)h (\d+)m ([\d.]+)s", line)
        if clock:
            hours, minutes, seconds = (float(each) for each in clock.groups())
            found["wall seconds"] = 3600 * hours + 60 * minutes + seconds
        number = re.match(r"([A-Z][^:]*?)\s*:\s+([\d.]+)\s*$", line)
        if number and number.group(1) not in found:
            found[number.group(1)] = float(number.group(2))
    if not found:
        raise ValueError(f"path = {Path(path).name}: has no line such as 'Total requests: 300'")
    return found
