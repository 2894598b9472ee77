"""How fast records are written, asked and replayed; processor seconds, in rounds."""

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from quire.provenance.exchange.inspect_logs import from_inspect, read_samples
from quire.provenance.experiments.example import running_example
from quire.provenance.patterns.sequences import directly_follows
from quire.provenance.questions.functions import QUESTIONS
from quire.provenance.questions.population import Population
from quire.provenance.stores.writer import RecordWriter
from quire.provenance.worlds.agents import Runs, replay
from quire.provenance.worlds.rca import World


def middle(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the median over rounds, and the range without the extremes of six or more."""
    x = np.sort(np.asarray(values, float))
    cut = 1 if len(x) >= 6 else 0
    return float(np.median(x)), float(x[cut]), float(x[len(x) - 1 - cut])


def ingest_rates(steps: int, rounds: int) -> list[float]:
    """Return steps a second of every round: one record of many steps of the running example."""
    record = running_example()
    authority = {"permissions_scope": ["syslog"]}
    envelope = {**record.envelope, "authority": authority}
    rates = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as root, RecordWriter(root, envelope) as out:
            out.plan(record.plans[0])
            step = {**record.steps[3], "plan_version": 1}
            began = time.process_time()
            for k in range(steps):
                out.step({**step, "step_id": f"s{k}", "sequence": k + 1})
            rates.append(steps / (time.process_time() - began))
    return rates


def question_seconds(columns: Population) -> dict[str, float]:
    """Return the seconds of every question by its function."""
    return {name: _seconds(lambda q=q: q(columns)) for name, q in QUESTIONS.items()}  # type: ignore[misc]


def tiled(columns: Population, runs: int) -> Population:
    """Return a population repeated until it has that many runs or more, incidents apart."""
    times = -(-runs // len(columns))
    row = np.concatenate([columns.run + k * len(columns) for k in range(times)])
    size = len(columns.names["incident"])
    incident = np.concatenate([columns.incident + k * size for k in range(times)])
    names = dict(columns.names)
    names["incident"] = tuple(f"incident-{k}" for k in range(size * times))
    held = {
        name: np.tile(getattr(columns, name), times)
        for name in columns.__dataclass_fields__
        if name not in ("ids", "names", "run", "incident")
    }
    return Population(ids=None, names=names, run=row, incident=incident, **held)


def replay_seconds(world: World, runs: Runs, max_steps: int) -> float:
    """Return the processor seconds of replaying 100,000 records, scaled from these."""
    ones = np.ones(len(runs))
    began = time.process_time()
    replay(world, runs, runs.policy, ones, max_steps=max_steps)
    return (time.process_time() - began) * 100_000 / len(runs)


def follows_rates(case: np.ndarray, code: np.ndarray, codes: int, rounds: int) -> list[float]:
    """Return events a second of counting what follows what."""
    times = max(1, 2_000_000 // len(case))
    cases = np.concatenate([case + k * (int(case.max()) + 1) for k in range(times)])
    events = np.tile(code, times)
    directly_follows(case, code, codes)
    return [
        len(events) / _seconds(lambda: directly_follows(cases, events, codes))
        for _ in range(rounds)
    ]


def _seconds(call: Callable[[], Any]) -> float:
    began = time.process_time()
    call()
    return max(time.process_time() - began, 1e-9)


def inspect_seconds(
    file: str, rounds: int, parse: Callable[[bytes], Any] = json.loads
) -> tuple[list[float], list[float], int]:
    """Return the seconds of reading a log of Inspect into records, of the least, and its bytes.

    The least that any reader does: unpacking every sample and parsing it, without a check, a
    checksum or a record. The bytes are the samples', unpacked.

    Parameters
    ----------
    file
        A log.
    rounds
        How often each is timed.
    parse
        The fastest parser of JSON at hand.
    """
    import pyarrow

    def unpack(data: bytes, size: int) -> bytes:
        return bytes(pyarrow.decompress(data, size, "zstd", asbytes=True))

    packed: list[tuple[bytes, int]] = []

    def keep(data: bytes, size: int) -> bytes:
        packed.append((data, size))
        return unpack(data, size)

    for _ in read_samples(file, keep):
        pass
    ours = [
        _seconds(lambda: [from_inspect(sample) for sample in read_samples(file, unpack)])
        for _ in range(rounds)
    ]
    least = [_seconds(lambda: [parse(unpack(*one)) for one in packed]) for _ in range(rounds)]
    return ours, least, sum(size for _, size in packed)
