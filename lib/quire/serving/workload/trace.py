"""Requests as a simulation needs them: when they arrive, how long they are, what they share."""

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from quire.checks import integer, positive, real_array
from quire.signatures import checked

BLOCK = 16


@checked
@dataclass(frozen=True)
class Trace:
    """Requests in the order of their arrival.

    Attributes
    ----------
    arrival_ns
        Whole nanoseconds, zero or more, never falling.
    n_in, n_out
        Tokens of the prompt and of the answer, each one or more.
    block_start, blocks
        ``blocks[block_start[r]:block_start[r + 1]]`` names the full blocks of 16 tokens of request
        r, prompt and answer; two requests have a name in common exactly where they agree in
        everything up to there. Without names nothing is shared.
    """

    arrival_ns: np.ndarray
    n_in: np.ndarray
    n_out: np.ndarray
    block_start: np.ndarray | None = None
    blocks: np.ndarray | None = None

    def __post_init__(self) -> None:
        arrival = _whole("arrival_ns", self.arrival_ns, 0)
        if (np.diff(arrival) < 0).any():
            raise ValueError("arrival_ns falls: requests must stand in the order of their arrival")
        n_in, n_out = _whole("n_in", self.n_in, 1), _whole("n_out", self.n_out, 1)
        if not arrival.size == n_in.size == n_out.size:
            raise ValueError(
                f"n_in, n_out = {n_in.size}, {n_out.size} numbers: must be as many as arrivals, "
                f"{arrival.size}"
            )
        start, blocks = self.block_start, self.blocks
        if (start is None) != (blocks is None):
            raise ValueError("blocks: block_start and blocks are given together, or neither")
        if start is None or blocks is None:
            start, blocks = np.zeros(arrival.size + 1, np.int64), np.zeros(0, np.int64)
        else:
            start = _whole("block_start", start, 0)
            blocks = np.zeros(0, np.int64) if not len(blocks) else _whole("blocks", blocks, 0)
            if start.size != arrival.size + 1 or start[0] != 0 or start[-1] != blocks.size:
                raise ValueError("block_start: must run from 0 to the number of blocks, n + 1 long")
            if (np.diff(start) < 0).any():
                raise ValueError("block_start falls: the blocks of a request stand together")
        for name, value in (
            ("arrival_ns", arrival),
            ("n_in", n_in),
            ("n_out", n_out),
            ("block_start", start),
            ("blocks", blocks),
        ):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return self.arrival_ns.size

    @property
    def named(self) -> tuple[np.ndarray, np.ndarray]:
        """The names' starts and the names, renumbered from 0 without gaps."""
        assert self.block_start is not None and self.blocks is not None
        if not self.blocks.size:
            return self.block_start, self.blocks
        _, dense = np.unique(self.blocks, return_inverse=True)
        return self.block_start, dense.astype(np.int64)

    def first(self, count: int) -> "Trace":
        """Return the trace of the first ``count`` requests, or of all if there are fewer."""
        count = min(integer("count", count), len(self))
        return self.select(np.arange(count))

    def select(self, which: Any) -> "Trace":
        """Return the trace of some requests, by number or by a mask, in the order of arrival.

        Raises
        ------
        ValueError
            When there is no such request, or none is chosen.
        """
        assert self.block_start is not None and self.blocks is not None
        chosen = np.asarray(which)
        if chosen.dtype == bool:
            if chosen.shape != (len(self),):
                raise ValueError(
                    f"which = an array of shape {chosen.shape}: must be ({len(self)},)"
                )
            chosen = np.flatnonzero(chosen)
        if not chosen.size:
            raise ValueError("which: no request is chosen")
        which = np.sort(_whole("which", chosen, 0))
        if which[-1] >= len(self):
            raise ValueError(f"which = {which[-1]}: must be from 0 to {len(self) - 1}")
        sizes = np.diff(self.block_start)[which]
        start = np.concatenate([[0], np.cumsum(sizes)])
        pieces = [self.blocks[self.block_start[r] : self.block_start[r + 1]] for r in which]
        blocks = np.concatenate(pieces)
        return Trace(self.arrival_ns[which], self.n_in[which], self.n_out[which], start, blocks)

    def faster(self, factor: float | int) -> "Trace":
        """Return the trace with the times between arrivals divided by ``factor``."""
        scale = positive("factor", factor)
        arrival = np.rint(self.arrival_ns / scale).astype(np.int64)
        return Trace(arrival, self.n_in, self.n_out, self.block_start, self.blocks)

    def unnamed(self) -> int:
        """Return how many requests have fewer block names than full blocks in their prompt."""
        assert self.block_start is not None
        return int((np.diff(self.block_start) < self.n_in // BLOCK).sum())


def _whole(name: str, values: Any, least: int) -> np.ndarray:
    checked = real_array(name, values, 1, least=float(least))
    found = np.asarray(values)
    if found.dtype.kind == "f" and (checked != np.rint(checked)).any():
        raise ValueError(f"{name} = {checked[checked != np.rint(checked)][0]:g}: must be whole")
    if checked.max() >= 2.0**62:
        raise ValueError(f"{name} = {checked.max():g}: must be below 2^62")
    return found.astype(np.int64)


@checked
def read_trace(path: str | Path) -> Trace:
    """Return the trace in a file of JSON lines.

    Each line has ``arrival_ns``, ``input``, ``output`` and, where prefixes are shared, ``blocks``:
    the names of the full blocks as inclusive ranges ``[first, last]``. Lines stand in any order.

    Raises
    ------
    ValueError
        For a line that is no such object; names the line.
    """
    rows = []
    text = Path(path).read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            ranges = [(int(a), int(b)) for a, b in row.get("blocks", [])]
            wrong = [pair for pair in ranges if not 0 <= pair[1] - pair[0] < 10_000_000]
            if wrong:
                raise ValueError(f"blocks {list(wrong[0])}: must be [first, last]")
            numbers = row["arrival_ns"], row["input"], row["output"]
            if not all(isinstance(each, int | float) for each in numbers):
                raise ValueError("arrival_ns, input and output must be numbers")
            rows.append((*numbers, ranges))
        except (ValueError, TypeError, KeyError, AttributeError) as fault:
            raise ValueError(
                f"path = {Path(path).name}: line {number} is no request ({fault!r})"
            ) from None
    if not rows:
        raise ValueError(f"path = {Path(path).name}: holds no request")
    rows.sort(key=lambda row: row[0])
    names = [
        np.concatenate([np.arange(a, b + 1) for a, b in row[3]] or [np.zeros(0, np.int64)])
        for row in rows
    ]
    start = np.concatenate([[0], np.cumsum([each.size for each in names])])
    arrival, n_in, n_out = (np.asarray([row[k] for row in rows]) for k in range(3))
    return Trace(arrival, n_in, n_out, start, np.concatenate(names))


@checked
def poisson_trace(
    n: int, per_second: float | int, n_in: tuple[int, int], n_out: tuple[int, int], seed: int
) -> Trace:
    """Return ``n`` requests with exponential times between them and uniform lengths.

    Parameters
    ----------
    n
        How many.
    per_second
        Their rate.
    n_in, n_out
        Least and largest length of prompts and answers.
    seed
        Of the random numbers.

    Raises
    ------
    ValueError
        When a least length is above its largest.
    """
    rng = np.random.default_rng(integer("seed", seed, 0))
    gaps = rng.exponential(1e9 / positive("per_second", per_second), integer("n", n))
    for name, pair in (("n_in", n_in), ("n_out", n_out)):
        if integer(name, pair[0]) > integer(name, pair[1]):
            raise ValueError(f"{name} = {tuple(pair)}: must be the least and the largest length")
    (low_in, high_in), (low_out, high_out) = n_in, n_out
    return Trace(
        np.cumsum(gaps).astype(np.int64),
        rng.integers(low_in, high_in + 1, n),
        rng.integers(low_out, high_out + 1, n),
    )


def warn_of_unnamed(trace: Trace) -> None:
    """Warn when some requests, but not all, lack the names that a prefix cache goes by."""
    assert trace.blocks is not None
    missing = trace.unnamed()
    if missing and trace.blocks.size:
        warnings.warn(
            f"{missing} of {len(trace)} requests have fewer block names than full blocks: what "
            "they share beyond those is not found",
            UserWarning,
            stacklevel=3,
        )
