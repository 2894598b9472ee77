"""What others hand over: published runs, spans, archives, databases, and secrets in all of them."""

import contextlib
import json
import os
import sqlite3
import zipfile

import pytest

import quire.provenance as pv
from quire.provenance import DanglingReference, Limits, Malformed, Redaction
from quire.provenance.capture.fidelity import mentions
from quire.provenance.capture.investigation import _as_json
from quire.provenance.exchange.otel import fields_of_spans

from .records import oom, refused, unix

CALL = {"id": "c", "function": {"name": "look", "arguments": "{}"}}
TAU = {
    "no object": [],
    "messages that are texts": {"traj": ["a"]},
    "calls that are a number": {"traj": [{"tool_calls": 3}]},
    "a call without a function": {"traj": [{"tool_calls": [{}]}]},
    "a function that is a text": {"traj": [{"tool_calls": [{"function": "x"}]}]},
    "arguments that are none": {"traj": [{"tool_calls": [{"function": {"name": "x"}}]}]},
    "arguments with NaN": {
        "traj": [{"tool_calls": [{"function": {"name": "x", "arguments": '{"a": NaN}'}}]}]
    },
    "content that is an object": {"traj": [{"content": {"a": 1}, "tool_calls": [CALL]}]},
    "half a pair": {"traj": [{"content": "\ud800", "tool_calls": [CALL]}]},
    "a reward of NaN": {"traj": [], "reward": float("nan")},
    "a reward beyond all doubles": {"traj": [], "reward": 10**400},
    "a trial that is true": {"traj": [], "trial": True},
}


@pytest.mark.parametrize("name", TAU)
def test_runs_of_tau_bench(name):
    run = TAU[name]
    if isinstance(run, dict):
        run = {"task_id": 1, "trial": 0, "reward": 1.0} | run
    with refused():
        pv.from_tau_bench(run)


LOG = {"history": [], "mistake_agent": "a", "mistake_step": "0"}
ROW = {"score": "0.5", "prediction": "{}", "instruction": "?"}
PROV = pv.to_prov(pv.parse_record(oom()))
IMPORTS = [
    (pv.from_swe_agent, ([], "x")),
    (pv.from_swe_agent, ({"trajectory": {"a": 1}}, "x")),
    (pv.from_swe_agent, ({"trajectory": ["a"]}, "x")),
    (pv.from_who_and_when, (None, "x")),
    (pv.from_who_and_when, (LOG | {"history": [1]}, "x")),
    (pv.from_who_and_when, (LOG | {"mistake_step": "last"}, "x")),
    (pv.from_who_and_when, (LOG | {"mistake_step": "-1"}, "x")),
    (pv.from_who_and_when, (LOG | {"mistake_step": "\uff11"}, "x")),
    (pv.from_who_and_when, (LOG | {"mistake_step": "9" * 5000}, "x")),
    (pv.from_openrca, ({}, "Bank", 1)),
    (pv.from_openrca, (ROW | {"score": "nan"}, "Bank", 1)),
    (pv.from_openrca, (ROW | {"score": "1e400"}, "Bank", 1)),
    (pv.from_openrca, ({"score": "1", "prediction": "x"}, "Bank", 1)),
    (pv.from_inspect, ([],)),
    (pv.from_inspect, ({"messages": {}},)),
    (pv.from_inspect, ({"messages": ["a"]},)),
    (pv.from_inspect, ({"messages": [{"tool_calls": [7]}]},)),
    (pv.from_inspect, ({"messages": [{"tool_calls": [{"function": {"name": "x"}}]}]},)),
    (pv.from_inspect, ({"messages": [], "output": ["a"]},)),
    (pv.from_inspect, ({"messages": [], "scores": float("inf")},)),
    (pv.from_prov, ([],)),
    (pv.from_prov, ({"entity": ["a"]},)),
    (pv.from_prov, ({"entity": {"run:envelope": None}},)),
    (pv.from_prov, ({"entity": {"run:envelope": {"aer:document": 3}}},)),
    (pv.from_prov, ({"entity": {"run:envelope": {"aer:document": "[]"}}},)),
    (pv.from_prov, (PROV | {"activity": [1]},)),
    (pv.from_prov, (PROV | {"activity": {"run:a": 1}},)),
    (pv.from_prov, (PROV | {"activity": {"run:a": {"aer:document": "[]"}}},)),
]


@pytest.mark.parametrize("number", range(len(IMPORTS)))
def test_documents_of_other_forms(number):
    reader, arguments = IMPORTS[number]
    with refused():
        reader(*arguments)


def test_a_step_may_be_called_like_a_plan():
    told = oom()
    told["steps"][0]["step_id"] = "plan-b"
    for rejected in told["verdict"]["alternatives_rejected"]:
        rejected["rejected_by"] = "plan-b"
    record = pv.parse_record(told)
    assert pv.from_prov(pv.to_prov(record)) == record


def _call(**attributes):
    return {"attributes": {"gen_ai.operation.name": "execute_tool", **attributes}}


SPANS = {
    "a parent that is nobody": (2, {"parent_id": "0" * 16}, DanglingReference),
    "its own parent": (2, {"parent_id": "own"}, DanglingReference),
    "a circle": (1, {"parent_id": "next"}, DanglingReference),
    "an id that was given": (3, {"span_id": "first"}, Malformed),
    "an end before its begin": (2, {"start_ns": 10, "end_ns": 3}, Malformed),
    "a time before all times": (2, {"start_ns": -1}, Malformed),
    "a time after all times": (2, {"end_ns": 2**63}, Malformed),
    "a time as text": (2, {"end_ns": "2026-11-27"}, Malformed),
    "no attributes": (2, {"attributes": None}, Malformed),
    "a tool without a name": (2, _call(), Malformed),
    "arguments that are no JSON": (
        2,
        _call(**{"gen_ai.tool.name": "x", "gen_ai.tool.call.arguments": "{"}),
        Malformed,
    ),
}


@pytest.mark.parametrize("name", SPANS)
def test_spans_of_somebody_else(name):
    spans = [dict(span) for span in pv.to_spans(pv.parse_record(oom()))]
    place, changed, kind = SPANS[name]
    words = {"own": spans[place]["span_id"], "first": spans[0]["span_id"]}
    words["next"] = spans[place + 1]["span_id"]
    spans[place] |= {key: words.get(str(value), value) for key, value in changed.items()}
    with refused(kind):
        fields_of_spans(spans)


def test_a_call_that_lasts_for_ever_has_no_span():
    told = oom()
    told["steps"][1]["tool_calls"][0]["duration_ms"] = 1e299
    with refused(Malformed, "steps[1].tool_calls[0].duration_ms"):
        pv.to_spans(pv.parse_record(told))
    with pytest.raises(ValueError, match="start_ns"):
        pv.to_spans(pv.parse_record(oom()), start_ns=-1)


def archive(file, text=b'{"id": 1, "messages": []}'):
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
        out.mkdir("samples")
        out.writestr("samples/1.json", text)
    return file


@pytest.mark.parametrize(
    ("at", "data"),
    [
        (20, (2**32 - 2).to_bytes(4, "little")),
        (24, (100_000_000).to_bytes(4, "little")),
        (24, (3).to_bytes(4, "little")),
        (16, b"\0\0\0\0"),
        (42, (2**31).to_bytes(4, "little")),
        (8, b"\x01\0"),
        (10, b"\x0e\0"),
    ],
    ids=["packed size", "huge", "too small", "checksum", "place", "encrypted", "method"],
)
def test_archives_that_lie(tmp_path, at, data):
    file = archive(tmp_path / "a.eval")
    assert len(list(pv.read_samples(file))) == 1
    held = bytearray(file.read_bytes())
    entry = held.rfind(b"PK\x01\x02")  # the sample's, in the archive's directory
    held[entry + at : entry + at + len(data)] = data
    file.write_bytes(held)
    with refused(Malformed):
        list(pv.read_samples(file))


def test_archives_that_are_broken(tmp_path):
    file = archive(tmp_path / "a.eval", b'{"a": "%s"}' % (b"x" * 5000))
    held = file.read_bytes()
    for cut in range(0, len(held), 17):
        file.write_bytes(held[:cut])
        with refused(Malformed):
            list(pv.read_samples(file))
    for place in range(0, len(held), 3):  # a bit that toppled is told, or changes nothing
        file.write_bytes(held[:place] + bytes([held[place] ^ 0x40]) + held[place + 1 :])
        with contextlib.suppress(Malformed):
            assert all(s == {"a": "x" * 5000} for s in pv.read_samples(file))


@unix
def test_archives_that_are_none(tmp_path):
    for name, make in (("pipe", os.mkfifo), ("folder", os.mkdir)):
        make(tmp_path / name)
        with refused(Malformed, name):
            list(pv.read_samples(tmp_path / name))
    with refused(Malformed, "none"):
        list(pv.read_samples(tmp_path / "none"))
    bomb = archive(tmp_path / "bomb.eval", b'"' + b"x" * 3_000_000 + b'"')
    assert bomb.stat().st_size < 10_000
    with refused(Malformed, "samples/1.json"):
        list(pv.read_samples(bomb, limits=Limits(document=1_000_000)))


def population():
    return pv.population([pv.parse_record(oom())])


def test_a_store_is_written_into_a_new_file_or_not_at_all(tmp_path):
    file = tmp_path / "runs.db"
    file.write_text("precious")
    with refused(Malformed, "runs.db"), pv.sqlite_store(population(), str(file)):
        pass
    assert file.read_text() == "precious"
    with refused(Malformed, "x.db"), pv.sqlite_store(population(), str(tmp_path / "no" / "x.db")):
        pass
    broken = population()
    object.__setattr__(broken, "ids", ("\ud800",))
    with refused(Malformed, "new.db"), pv.sqlite_store(broken, str(tmp_path / "new.db")):
        pass
    assert {f.name for f in tmp_path.iterdir()} == {"runs.db"}


@pytest.mark.parametrize(
    "change",
    [
        "drop table steps",
        "alter table runs add column secret text",
        "alter table runs add column x text generated always as (hex(model)) virtual",
        "drop table runs; create view runs as select 1 as run",
        "create trigger t after insert on runs begin select 1; end",
        "create view other as select load_extension('x')",
        'create table "a; drop table runs; --" (x)',
        "create index i on runs (abs(run))",
    ],
)
def test_stores_of_somebody_else(tmp_path, change):
    file = tmp_path / "runs.db"
    with pv.sqlite_store(population(), str(file)):
        pass
    with pv.sqlite_reader(file) as base:
        assert pv.ask(base, "select count(*) from steps") == [(4,)]
        with pytest.raises(sqlite3.OperationalError, match=r"readonly|query_only"):
            base.execute("delete from runs")
    with contextlib.closing(sqlite3.connect(file)) as base:
        base.executescript(change)
    with refused(Malformed, "runs.db"), pv.sqlite_reader(file):
        pass


@unix
def test_files_that_are_no_stores(tmp_path):
    file = tmp_path / "runs.db"
    with refused(Malformed, "runs.db"), pv.sqlite_reader(file):
        pass
    with pv.sqlite_store(population(), str(file)):
        pass
    held = file.read_bytes()
    with contextlib.closing(sqlite3.connect(file)) as base:
        base.execute("begin exclusive")
        with refused(Malformed, "runs.db"), pv.sqlite_reader(file, wait_s=0.0):
            pass
    for text in (b"", b"text", b"SQLite format 3\0" + b"\xff" * 200, held[:100]):
        file.write_bytes(text)
        with refused(Malformed, "runs.db"), pv.sqlite_reader(file):
            pass
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(file)
    for name in ("pipe", "folder", "link"):
        with refused(Malformed, name), pv.sqlite_reader(tmp_path / name):
            pass


HIDDEN = {
    "an option and its value": {"argv": ["psql", "--password", "hunter2"]},
    "an option with a word before": {"argv": ["x", "--db-password", "hunter2", "go"]},
    "a header as a pair": {"headers": [["Authorization", "hunter2"], ["Accept", "a"]]},
    "a variable as name and value": {"env": [{"name": "DB_PASSWORD", "value": "hunter2"}]},
    "a header as key and value": {"h": [{"key": "Cookie", "value": "hunter2"}]},
    "a key in lines": {
        "out": ["-----BEGIN RSA PRIVATE KEY-----", "hunter2", "-----END RSA PRIVATE KEY-----"]
    },
    "a key that is cut off": {"out": ["-----BEGIN PRIVATE KEY-----", "hunter2", "hunter2"]},
    "JSON in JSON": {"out": json.dumps({"a": json.dumps({"token": "hunter2"})})},
    "JSON in JSON in JSON": {
        "out": json.dumps(json.dumps({"a": json.dumps({"token": "hunter2"})}))
    },
    "in a name": {"out": {"password=hunter2": 1}},
    "beside a list of paths that is none": {"redacted": [{}, "x"], "out": "password=hunter2"},
}
CODED = {
    "base64": "cGFzc3dvcmQ9aHVudGVyMiBhbmQgbW9yZQ==",
    "base64 after one byte": "eHBhc3N3b3JkPWh1bnRlcjIgYW5kIG1vcmU=",
    "base64 after two bytes": "eHhwYXNzd29yZD1odW50ZXIyIGFuZCBtb3Jl",
    "a key in lines of base64": "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQpNSUlFaHVudGVyMgpo\n"
    "dW50ZXIyaHVudGVyMgotLS0tLUVORCBSU0EgUFJJVkFURSBLRVktLS0tLQo=",
}


@pytest.mark.parametrize("name", HIDDEN)
def test_secrets_beside_their_names(name):
    document = HIDDEN[name]
    clean = Redaction().apply(document)
    assert "hunter2" not in str(clean) and clean["redacted"]
    assert not Redaction().spares(pv.canonical_bytes(document))


@pytest.mark.parametrize("name", CODED)
def test_secrets_in_base64(name):
    document = {"out": f"data: {CODED[name]} end"}
    assert Redaction().apply(document)["out"] == "data: [redacted] end"
    assert not Redaction().spares(pv.canonical_bytes(document))


def test_what_is_no_secret_stays():
    plain = {"argv": ["ls", "--color", "always"], "pair": ["host", "node-3"],
             "env": [{"name": "HOME", "value": "/root"}], "code": "cGFzc3dvcmRzIGFyZSBsb25n",
             "n": ["--token"], "keys": [{"name": "PASSWORD", "value": 3}]}  # fmt: skip
    assert Redaction().apply(plain) == plain


@pytest.mark.parametrize(
    "text",
    ["a_" * 300_000 + "key", "eyJaaaaaaaa-" * 50_000 + "key", 'password="' + "\\" * 500_000,
     "-----BEGIN " * 50_000 + "key", "://a:" * 100_000, "token " * 100_000, "QUJD" * 200_000],
    ids=range(7),
)  # fmt: skip
def test_texts_on_which_a_search_for_secrets_would_never_end(text):
    assert Redaction().apply({"out": text})["out"].isprintable()


def test_a_replayed_agent_changes_no_record_and_many_equal_calls_are_each_looked_up_once():
    record = pv.parse_record(oom())
    tools = pv.RecordedTools(record, "fifo")
    tools.call("syslog", {"host": "node-3"}).clear()
    assert record.steps[3]["tool_calls"][0]["output"]["says"]
    record.steps[0]["tool_calls"].extend([{"tool": "t", "input": 1, "output": 2}] * 30_000)
    tools = pv.RecordedTools(record)
    assert sum(tools.call("t", 1) for _ in range(30_000)) == 60_000

    def agent(envelope, tools):
        envelope["trigger"].clear()
        return record

    pv.mock_replay(record, agent)
    assert record.envelope["trigger"]


def test_what_a_tool_gave_is_recorded_as_it_was(tmp_path):
    class Rude:
        def __repr__(self):
            raise KeyError

    laughs = [1]
    for _ in range(60):
        laughs = [laughs] * 10
    with pv.start_investigation(tmp_path, "r", {"source": "t"}, {"model": "m"}) as run:
        given = {"a": [1]}
        run.tool(lambda x: x, "same")(given)["a"].append(2)
        run.tool(Rude, "rude")()
        run.tool(lambda: laughs, "laughs")()
        run.log_step("a", "b", "c")
    calls = pv.read_folder(run.folder).steps[0]["tool_calls"]
    assert calls[0]["input"] == {"arg0": {"a": [1]}} and calls[0]["output"] == {"a": [1]}
    assert "KeyError" in calls[1]["output"] and len(calls[2]["output"]) <= 10_000
    assert _as_json(10**5000) == "an integer of 16,610 bits"


def test_a_target_that_would_be_looked_for_for_ever():
    call = {"tool": "t", "input": "ab" * 500_000}
    assert not mentions(call, "ab" * 250_000) and mentions(call | {"input": "a node-3"}, "node-3")
