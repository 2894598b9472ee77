import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

import quire.provenance as pv
from quire.provenance import (
    QUESTIONS,
    SQL,
    AuthorityExceeded,
    DanglingReference,
    EnvelopeSealed,
    Malformed,
    RecordClosed,
    RecordWriter,
    ask,
    population,
    read_folder,
    read_record,
    read_store,
    recorded,
    recover,
    sqlite_store,
    start_investigation,
    to_evict,
    verify_folder,
)
from quire.provenance.capture.fidelity import calls_of
from quire.provenance.stores.retention import Kept, leave_tombstone, read_tombstone

from .records import oom, write


def test_what_is_written_is_read_and_verified(tmp_path):
    folder, head = write(tmp_path)
    record = read_folder(folder)
    told = oom()
    assert [dict(s) for s in record.steps] == told["steps"]
    assert record.verdict == told["verdict"]
    assert verify_folder(folder, head).intact
    assert head.number == 7 and record.metadata["head"]["number"] == 7
    assert [r.id for r in read_store(tmp_path)] == ["DBINFRA-1458"]
    file = tmp_path / "one.json"
    file.write_bytes(record.to_bytes())
    assert read_record(file) == read_record(folder) == record
    with pytest.raises(Malformed, match="neither"):
        read_record(tmp_path / "none")


def test_a_sealed_envelope_and_a_closed_record_stay(tmp_path):
    told = oom()
    write(tmp_path)
    with pytest.raises(EnvelopeSealed):
        RecordWriter(tmp_path, told["envelope"])
    told["envelope"]["investigation_id"] = "b"
    with RecordWriter(tmp_path, told["envelope"]) as out:
        out.plan(told["plans"][0])
        with pytest.raises(AuthorityExceeded, match=r"steps\[0\]\.tool_calls\[0\]\.tool"):
            out.step({**told["steps"][0], "tool_calls": [{"tool": "rm"}]})
        out.step(told["steps"][0])
        with pytest.raises(DanglingReference, match=r"verdict\.evidence_chain\[0\]"):
            out.verdict(told["verdict"])
        out.verdict({**told["verdict"], "evidence_chain": [], "alternatives_rejected": []})
        for late in (lambda: out.step(told["steps"][1]), lambda: out.plan(told["plans"][1])):
            with pytest.raises(RecordClosed):
                late()


@pytest.mark.parametrize("name", ["steps.jsonl", "chain.jsonl"])
def test_a_log_cut_at_any_byte_is_recovered(tmp_path, name):
    whole = tmp_path / "whole"
    told = oom()
    with RecordWriter(whole, told["envelope"]) as out:
        out.plan(told["plans"][0])
        for step in told["steps"][:2]:
            out.step(step)
    source = out.folder
    full = (source / name).read_bytes()
    last = full[:-1].rfind(b"\n") + 1
    for cut in sorted({*range(last, len(full) + 1, 37), last + 1, len(full) - 1, len(full)}):
        copy = tmp_path / f"{name}-{cut}"
        shutil.copytree(source, copy)
        os.truncate(copy / name, cut)
        if name == "steps.jsonl":  # the entry is written after the line
            chain = (copy / "chain.jsonl").read_bytes()
            if cut < len(full):
                os.truncate(copy / "chain.jsonl", chain[:-1].rfind(b"\n") + 1)
        recover(copy)
        record = read_folder(copy)
        expected = 2 if name == "chain.jsonl" or cut == len(full) else 1
        assert len(record.steps) == expected
        assert verify_folder(copy).intact
        shutil.rmtree(copy)


SCRIPT = """
import sys
from quire.provenance import start_investigation
with start_investigation(sys.argv[1], "run", {"source": "t"}, {"model": "m"}) as run:
    run.log_plan("work")
    for k in range(10**6):
        run.log_step("i", "o" * (k % 500), "n")
        if k == 50:
            print("ready", flush=True)
"""


def test_a_killed_writer_loses_nothing_that_was_logged(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGKILL)
    recover(tmp_path / "run")
    record = read_folder(tmp_path / "run")
    assert len(record.steps) > 50 and record.verdict is None
    assert verify_folder(tmp_path / "run").intact


def test_a_torn_line_is_told_before_it_is_taken_off(tmp_path):
    folder, _ = write(tmp_path)
    with (folder / "steps.jsonl").open("ab") as out:
        out.write(b'{"step_id": "step_0')
    with pytest.raises(Malformed, match=r"steps\.jsonl:5: was cut off"):
        read_folder(folder)
    assert recover(folder).cut_bytes == 19
    assert len(read_folder(folder).steps) == 4


def test_tampering_in_a_folder_is_found(tmp_path):
    folder, head = write(tmp_path)
    lines = (folder / "steps.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "steps.jsonl").write_bytes(b"".join([lines[0], lines[2], lines[1], lines[3]]))
    found = verify_folder(folder, head)
    assert (found.index, found.kind) == (3, "order")
    (folder / "steps.jsonl").write_bytes(b"".join(lines).replace(b"TNS-12541", b"TNS-12542", 1))
    assert verify_folder(folder, head).kind == "payload"


def test_the_recorder_intercepts_what_it_wraps(tmp_path):
    calls = []

    @recorded(tmp_path, {"source": "t"}, {"model": "m"},
              authority={"permissions_scope": ["look"]})  # fmt: skip
    def agent(run, place):
        look = run.tool(lambda where: {"at": where}, "look")
        assert look(place) == {"at": place}
        step = run.log_step("look", "there", "done")
        with pytest.raises(AuthorityExceeded):
            run.tool(lambda: calls.append(1), "delete")()
        run.record_verdict("A > B", 0.5, [step])
        return run.folder

    record = read_folder(agent("x", investigation_id="first"))
    call = calls_of(record)[0]
    assert (call["tool"], call["input"], call["output"]) == ("look", {"arg0": "x"}, {"at": "x"})
    assert not calls
    assert agent("y").name == "agent-000001"
    with (
        pytest.raises(ZeroDivisionError),
        start_investigation(tmp_path, "failed", {"source": "t"}, {"model": "m"}) as run,
    ):
        run.tool(lambda: 1 / 0, "divide")()
    assert read_folder(tmp_path / "failed").metadata["failed"] == "ZeroDivisionError"


def test_secrets_never_reach_the_disk(tmp_path):
    with start_investigation(tmp_path, "s", {"source": "t"}, {"model": "m"}) as run:
        env = run.tool(lambda: {"AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI", "note": "ok"}, "env")
        env()
        run.log_step("read", "password: hunter2", "none")
    text = b"".join(f.read_bytes() for f in (tmp_path / "s").iterdir())
    assert b"wJalr" not in text and b"hunter2" not in text and b"ok" in text
    assert verify_folder(tmp_path / "s").intact


def test_eviction_by_count_age_and_pin(tmp_path):
    day = 86_400.0
    kept = [Kept(f"r{k}", k * day) for k in range(20)] + [Kept("pin", 0.0, True)]
    assert to_evict(kept, 19 * day) == [f"r{k}" for k in range(4, -1, -1)]
    assert len(to_evict(kept, 19 * day, count=3)) == 17
    folder, head = write(tmp_path)
    stone = leave_tombstone(folder, head, 5.0)
    assert read_tombstone(stone) == ("DBINFRA-1458", head) and not folder.exists()


def simulated(count=400):
    world = pv.World(6, 4)
    incident = np.arange(count) // 2
    runs = pv.simulate(world, incident, np.arange(count) % 2, np.ones(count), 5, max_steps=8)
    from quire.provenance.worlds.recording import population_of, records_of

    records = records_of(world, runs, range(count))
    return records, population_of(world, runs, np.zeros(count, int), ("bayes",))


def rows_near(first, second):
    if len(first) != len(second):
        return False
    return all(
        a == b or (isinstance(a, float) and abs(a - b) < 1e-9)
        for one, two in zip(first, second, strict=True)
        for a, b in zip(one, two, strict=True)
    )


def test_ten_questions_are_the_same_by_function_sql_and_from_records():
    records, columns = simulated()
    rebuilt = population(records)
    with sqlite_store(rebuilt) as base:
        for name, question in QUESTIONS.items():
            answer = question(columns)
            assert answer, name
            assert rows_near(question(rebuilt), answer), name
            assert rows_near(ask(base, SQL[name]), answer), name


def test_questions_do_not_depend_on_the_order_of_runs():
    records, _ = simulated(200)
    other = population(records[::-1])
    for name, question in QUESTIONS.items():
        assert rows_near(question(population(records)), question(other)), name


def test_questions_of_nothing_are_empty_and_of_open_records_too(tmp_path):
    empty = population([])
    open_ = population([dataclasses.replace(pv.parse_record(oom()), verdict=None)])
    with sqlite_store(empty) as base, sqlite_store(open_) as other:
        for name, question in QUESTIONS.items():
            assert question(empty) == [] == ask(base, SQL[name])
            assert rows_near(question(open_), ask(other, SQL[name])), name


def test_the_example_of_the_package_runs():
    text = pv.__doc__.split("::\n\n")[1].split("\n\nRead in")[0]
    names = {}
    exec("\n".join(line[4:] for line in text.splitlines()), names)
    assert pv.verify_folder(names["run"].folder, names["head"]).intact
    shutil.rmtree(names["root"])
    assert json.dumps(pv.__all__)


def test_an_identifier_that_looks_like_a_secret_is_refused_before_it_is_written(tmp_path):
    told = oom()
    with RecordWriter(tmp_path, told["envelope"]) as out:
        out.plan(told["plans"][0])
        with pytest.raises(pv.UnsafeIdentifier, match="step_id"):
            out.step({**told["steps"][0], "step_id": "sk-abcdefghijklmnopqrst"})
        out.step(told["steps"][0])
    assert len(read_folder(out.folder).steps) == 1


def test_metadata_that_are_refused_leave_no_file_open(tmp_path):
    out = RecordWriter(tmp_path, oom()["envelope"])
    with pytest.raises(Malformed):
        out.close({"cost": float("nan")})
    assert out.closed and not out._files
