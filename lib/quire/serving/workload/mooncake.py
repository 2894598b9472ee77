"""Mooncake's traces: requests with the names of their prompt's blocks of 512 tokens.

Published with the paper at FAST 2025 (github.com/kvcache-ai/Mooncake): one JSON object a line with
``timestamp`` in whole milliseconds, ``input_length``, ``output_length`` and ``hash_ids``, the names
of all blocks of the prompt, the last one perhaps not full. Names are chained: equal names mean
equal prompts up to the end of the block.
"""

import gzip
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from quire.checks import integer, positive
from quire.serving.workload.prefixes import prefix_hits
from quire.serving.workload.trace import BLOCK, Trace
from quire.signatures import checked

MOONCAKE_BLOCK = 512
"""Tokens of a block in Mooncake's traces."""


@dataclass(frozen=True)
class PrefixTrace:
    """Requests in the order of their arrival, and which prefixes their prompts share.

    Attributes
    ----------
    requests
        Arrivals, lengths and names. A name stands for ``block_tokens`` tokens of the *prompt*, and
        the last, perhaps not full, block has one as well (unlike in a `Trace` for an engine).
    block_tokens
        Tokens of a block.

    Raises
    ------
    ValueError
        When a request has not ceil(n_in / block_tokens) names, or a name follows two different
        names (then equal names would not mean equal prefixes).
    """

    requests: Trace
    block_tokens: int = MOONCAKE_BLOCK

    def __post_init__(self) -> None:
        integer("block_tokens", self.block_tokens)
        start, names = self.requests.named
        sizes = np.diff(start)
        wanted = -(-self.requests.n_in // self.block_tokens)
        if (sizes != wanted).any():
            r = int(np.flatnonzero(sizes != wanted)[0])
            raise ValueError(
                f"blocks: request {r} of {self.requests.n_in[r]} tokens has {sizes[r]} names, "
                f"must have {wanted[r]}"
            )
        before = np.concatenate([[-1], names[:-1]])
        before[start[:-1]] = -1
        order = np.lexsort((before, names))
        same = names[order][1:] == names[order][:-1]
        if (same & (before[order][1:] != before[order][:-1])).any():
            raise ValueError("blocks: a name follows two different names, so that it is no prefix")

    def __len__(self) -> int:
        return len(self.requests)

    @property
    def arrival_s(self) -> Float[np.ndarray, " requests"]:
        """Seconds of the arrivals."""
        return self.requests.arrival_ns / 1e9

    @property
    def n_in(self) -> Int[np.ndarray, " requests"]:
        """Tokens of the prompts."""
        return self.requests.n_in

    @property
    def n_out(self) -> Int[np.ndarray, " requests"]:
        """Tokens of the answers."""
        return self.requests.n_out

    def blocks_of(self, r: int) -> Int[np.ndarray, " blocks"]:
        """Return the names of the blocks of request ``r``."""
        r = integer("r", r, 0, len(self) - 1)
        start, blocks = self.requests.block_start, self.requests.blocks
        assert start is not None and blocks is not None
        return blocks[start[r] : start[r + 1]]

    def hit_blocks(
        self, capacity: int | None = None, eviction: str = "lru"
    ) -> Int[np.ndarray, " requests"]:
        """Return the leading blocks of each that a store of ``capacity`` blocks holds.

        Requests that came before are known, none of the future (but for the eviction
        ``"farthest"``); None means no limit.
        """
        return prefix_hits(*self.requests.named, capacity, eviction)

    def hit_tokens(
        self, capacity: int | None = None, eviction: str = "lru"
    ) -> Int[np.ndarray, " requests"]:
        """Return the tokens of each that need no computing: at most all but the last one."""
        hits = self.hit_blocks(capacity, eviction)
        return np.minimum(hits * self.block_tokens, self.n_in - 1)

    def select(self, which: Any) -> "PrefixTrace":
        """Return the trace of some requests, by number or by a mask.

        Hits counted on it know the chosen requests only: count them before.
        """
        return PrefixTrace(self.requests.select(which), self.block_tokens)

    def first(self, count: int) -> "PrefixTrace":
        """Return the trace of the first ``count`` requests, or of all if there are fewer."""
        return PrefixTrace(self.requests.first(count), self.block_tokens)

    def faster(self, factor: float | int) -> "PrefixTrace":
        """Return the trace with the times between arrivals divided by ``factor``."""
        return PrefixTrace(self.requests.faster(factor), self.block_tokens)

    def poisson(self, per_second: float | int, seed: int) -> "PrefixTrace":
        """Return the trace in its order, with exponential times between arrivals."""
        rng = np.random.default_rng(integer("seed", seed, 0))
        gaps = rng.exponential(1e9 / positive("per_second", per_second), len(self))
        old = self.requests
        arrival = np.cumsum(gaps).astype(np.int64)
        return PrefixTrace(
            Trace(arrival, old.n_in, old.n_out, old.block_start, old.blocks), self.block_tokens
        )

    def for_engine(self) -> Trace:
        """Return the trace with names of the engine's blocks of 16 tokens, of full blocks only.

        Names of answers do not exist: what follows the prompt is shared with nobody.

        Raises
        ------
        ValueError
            When ``block_tokens`` is no multiple of 16.
        """
        if self.block_tokens % BLOCK:
            raise ValueError(
                f"block_tokens = {self.block_tokens}: must be a multiple of {BLOCK} for the engine"
            )
        each = self.block_tokens // BLOCK
        start, names = self.requests.named
        fine = (names[:, None] * each + np.arange(each)).reshape(-1)
        full = self.n_in // BLOCK
        owner_start = start[:-1] * each
        new_start = np.concatenate([[0], np.cumsum(full)])
        place = np.arange(new_start[-1]) - np.repeat(new_start[:-1] - owner_start, full)
        old = self.requests
        return Trace(old.arrival_ns, old.n_in, old.n_out, new_start, fine[place])


@checked
def read_mooncake(path: str | Path, block_tokens: int = MOONCAKE_BLOCK) -> PrefixTrace:
    """Return the trace in a file of Mooncake's JSON lines, packed by gzip or not.

    Parameters
    ----------
    path
        The file; a name that ends in ``.gz`` is unpacked.
    block_tokens
        Tokens of the blocks that ``hash_ids`` names.

    Raises
    ------
    ValueError
        For a line that is no such object, timestamps that fall, a wrong number of names, or names
        that are no prefix; names the line or the request.
    """
    name = Path(path).name
    try:
        opened = gzip.open if name.endswith(".gz") else open
        with opened(path, "rt", encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (gzip.BadGzipFile, EOFError, UnicodeDecodeError, zlib.error) as fault:
        raise ValueError(f"path = {name}: cannot be read ({fault})") from None
    rows: list[tuple[int, int, int]] = []
    names: list[list[int]] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("must be an object")
            found = (
                _whole(row, "timestamp", 0),
                _whole(row, "input_length", 1),
                _whole(row, "output_length", 1),
            )
            ids = row["hash_ids"]
            if not isinstance(ids, list) or any(type(i) is not int or i < 0 for i in ids):
                raise ValueError("hash_ids must be a list of integers, zero or more")
        except KeyError as fault:
            raise ValueError(f"path = {name}: line {number} has no {fault.args[0]}") from None
        except (ValueError, RecursionError) as fault:
            raise ValueError(f"path = {name}: line {number} is no request ({fault})") from None
        if rows and found[0] < rows[-1][0]:
            raise ValueError(
                f"path = {name}: line {number}: timestamp {found[0]} is before {rows[-1][0]}, "
                "requests must stand in the order of their arrival"
            )
        rows.append(found)
        names.append(ids)
    if not rows:
        raise ValueError(f"path = {name}: holds no request")
    start = np.concatenate([[0], np.cumsum([len(each) for each in names])])
    try:
        table = np.asarray(rows, np.int64)
        ids = np.asarray([i for each in names for i in each], np.int64)
        requests = Trace(table[:, 0] * 1_000_000, table[:, 1], table[:, 2], start, ids)
        return PrefixTrace(requests, block_tokens)
    except (ValueError, OverflowError) as fault:
        raise ValueError(f"path = {name}: {fault}") from None


def _whole(row: dict[str, Any], key: str, least: int) -> int:
    value = row[key]
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or not least <= value < 2**42:
        raise ValueError(f"{key} = {value!r}: must be a whole number, {least} or more")
    return value
