"""Bytes of checkpoints against bytes of records, on published runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.provenance.exchange.importers import from_tau_bench
from quire.provenance.schema.canonical import canonical_bytes


@dataclass(frozen=True)
class StorageRow:
    """One run: its messages and calls, and bytes of each way to keep it."""

    run: str
    messages: int
    calls: int
    raw: int
    record: int
    record_without_outputs: int
    checkpoints: int
    rows: int
    message_bytes: float

    @property
    def ratio(self) -> float:
        """Checkpoint database over record with raw outputs."""
        return self.checkpoints / self.record


def chosen_runs(runs: Sequence[Mapping[str, Any]], count: int) -> list[Mapping[str, Any]]:
    """Return the first runs with 8 to 12 tool calls: investigations of about ten steps."""
    found = [r for r in runs if 8 <= len(from_tau_bench(r).steps) <= 12]
    return found[:count]


def conversations(runs: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    """Return the messages of every run, as the checkpointer is given them."""
    return [list(run["traj"]) for run in runs]


def storage(
    runs: Sequence[Mapping[str, Any]], database: Sequence[int], rows: Sequence[int]
) -> list[StorageRow]:
    """Return the bytes of every run; the system prompt is counted once, with the record.

    Parameters
    ----------
    runs
        Of tau-bench.
    database, rows
        Bytes and checkpoints that the checkpointer kept of every run.
    """
    found = []
    for run, size, kept in zip(runs, database, rows, strict=True):
        record = from_tau_bench(run)
        prompt = len(canonical_bytes(run["traj"][0]))
        bare = record.as_json()
        for step in bare["steps"]:
            step["tool_calls"] = [{**call, "output": None} for call in step["tool_calls"]]
        raw = len(canonical_bytes(list(run["traj"])))
        found.append(
            StorageRow(
                record.id,
                len(run["traj"]),
                len(record.steps),
                raw,
                len(record.to_bytes()) + prompt,
                len(canonical_bytes(bare)),
                int(size),
                int(kept),
                raw / len(run["traj"]),
            )
        )
    return found


def mean_with_interval(values: Any, seed: int, draws: int = 1000) -> tuple[float, float, float]:
    """Return the mean and its 95 % bootstrap interval over runs."""
    x = np.asarray(values, float)
    random = np.random.default_rng(seed)
    means = x[random.integers(0, len(x), (draws, len(x)))].mean(axis=1)
    return float(x.mean()), float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def square_law(rows: Sequence[StorageRow]) -> tuple[float, float]:
    """Return the factor of bytes = a * mean message * n (n + 1) / 2, and R squared."""
    x = np.array([row.message_bytes * row.messages * (row.messages + 1) / 2 for row in rows])
    y = np.array([row.checkpoints for row in rows], float)
    a = float((x * y).sum() / (x * x).sum())
    left = ((y - a * x) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    return a, float(1 - left)
