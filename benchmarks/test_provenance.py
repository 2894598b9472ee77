"""Seconds per step of a record that is written, beside its JSON and its hash alone; and counts."""

import hashlib
import json

import numpy as np
import pytest

from quire.provenance.experiments.example import running_example
from quire.provenance.patterns.sequences import directly_follows
from quire.provenance.stores.writer import RecordWriter

STEPS = 1000
EVENTS, TOOLS = 1_000_000, 40


def step_of(record, k):
    return {**record.steps[3], "plan_version": 1, "step_id": f"s{k}", "sequence": k + 1}


@pytest.mark.benchmark(group="a step of a record on disk")
def test_checked_redacted_hashed_and_written(benchmark, tmp_path):
    record, number = running_example(), iter(range(10**6))
    envelope = {**record.envelope, "authority": {"permissions_scope": ["syslog"]}}

    def write():
        with RecordWriter(tmp_path / str(next(number)), envelope) as out:
            out.plan(record.plans[0])
            for k in range(STEPS):
                out.step(step_of(record, k))

    benchmark.extra_info["items"] = STEPS
    benchmark(write)


@pytest.mark.benchmark(group="a step of a record on disk")
def test_its_json_and_its_hash_alone(benchmark, tmp_path):
    record, number = running_example(), iter(range(10**6))

    def write():
        with (tmp_path / f"{next(number)}.jsonl").open("wb") as out:
            for k in range(STEPS):
                line = json.dumps(step_of(record, k), sort_keys=True).encode()
                hashlib.sha256(line).digest()
                out.write(line + b"\n")

    benchmark.extra_info.update(items=STEPS, bound=True)
    benchmark(write)


@pytest.fixture(scope="module")
def events():
    random = np.random.default_rng(2)
    return np.repeat(np.arange(EVENTS // 20), 20), random.integers(0, TOOLS, EVENTS)


@pytest.mark.benchmark(group="an event in the counts of what follows what")
def test_directly_follows(benchmark, events):
    directly_follows(*events, TOOLS)  # compile
    benchmark.extra_info["items"] = EVENTS
    assert benchmark(lambda: directly_follows(*events, TOOLS)).sum() == EVENTS - EVENTS // 20


@pytest.mark.benchmark(group="an event in the counts of what follows what")
def test_pandas(benchmark, events):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"case": events[0], "tool": events[1]})

    def count():
        after = table.groupby("case").tool.shift(-1)
        return pandas.crosstab(table.tool, after)

    benchmark.extra_info["items"] = EVENTS
    assert benchmark(count).to_numpy().sum() == EVENTS - EVENTS // 20
