"""What an attacker or an unlucky user hands in: one printable line with its place, nothing left."""

import contextlib
import json
import os

import pytest

import quire.provenance as pv
from quire.provenance import (
    DanglingReference,
    Limits,
    Malformed,
    RecordError,
    RecordWriter,
    SequenceOrder,
    UnsafeIdentifier,
)
from quire.provenance.exchange.importers import safe_id
from quire.provenance.stores import jsonl, writer
from quire.provenance.stores.retention import leave_tombstone, read_tombstone

from .records import oom, refused, unix, write

TEXTS = {
    "cut UTF-8": (b'{"a": "\xc3', "$"),
    "overlong UTF-8": (b'{"a": "\xc0\xaf"}', "$"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "$"),
    "a mark of byte order": (b'\xef\xbb\xbf{"a": 1}', "$"),
    "NUL after": (b'{"a": 1}\x00', "$"),
    "raw NUL in a text": (b'{"a": "\x00"}', "$"),
    "a million levels": (b"[" * 1_000_000, "$"),
    "a million objects": (b'{"a":' * 1_000_000, "$"),
    "seventy levels": (b'{"a":' * 70 + b"1" + b"}" * 70, None),
    "duplicate at depth": (b'{"b": [0, {"c": {"a": 1, "a": 2}}]}', "$.b[1].c"),
    "duplicate by escape": (b'{"b": {"a": 1, "\\u0061": 2}}', "$.b"),
    "duplicate deep down": (b"[" * 500 + b'{"a": 1, "a": 2}' + b"]" * 500, None),
    "NaN": (b'{"a": [1, NaN]}', "$.a[1]"),
    "Infinity": (b'{"a": {"b": -Infinity}}', "$.a.b"),
    "nan as others spell it": (b'{"a": nan}', "$"),
    "1e400": (b'{"a": [0, 0, 1e400]}', "$.a[2]"),
    "-1e400": (b'{"a": -1e400}', "$.a"),
    "a hundred thousand digits": (b'{"a": ' + b"7" * 100_000 + b"}", "$"),
    "four thousand digits": (b'{"a": ' + b"7" * 4_000 + b"}", "$.a"),
    "2^53 + 1": (b'{"a": 9007199254740993}', "$.a"),
    "a leading zero": (b'{"a": 01}', "$"),
    "hexadecimal": (b'{"a": 0x10}', "$"),
    "half a pair": (b'{"a": "\\ud800"}', "$.a"),
    "half a pair as key": (b'{"a": {"\\udfff": 1}}', "$.a"),
    "a comment": (b'{"a": 1} // b', "$"),
    "two documents": (b'{"a": 1}{"b": 2}', "$"),
    "nothing": (b"", "$"),
    "blanks": (b" \n\t ", "$"),
    "a key that talks to the terminal": (
        b'{"\\u001b]8;;http://x\\u0007": {"a": NaN}}',
        "$.\\x1b]8;;http://x\\x07.a",
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_that_two_readers_could_read_differently(name):
    text, path = TEXTS[name]
    with refused(Malformed, path):
        pv.parse_json(text)


def test_texts_that_only_look_dangerous_are_read():
    assert pv.parse_json(b'{"__proto__": {"x": 1}, "a": -0}\r\n') == {"__proto__": {"x": 1}, "a": 0}
    assert pv.canonical_bytes(pv.parse_json("[-0.0, 1E2, 1e-400]")) == b"[0,100,0]"
    assert pv.parse_json('"\\u0000\\ud83d\\ude00"') == "\x00\U0001f600"
    text = json.dumps({"csv": "1,2,3\n" * 10_000, "quoted": '"[,' * 10_000})
    assert pv.parse_json(text, limits=Limits(values=5))["csv"].startswith("1,2")


@pytest.mark.parametrize(
    "text",
    ["[" + "[]," * 900_000 + "1]", "[" + "1," * 2_000_001 + "1]", '"' + '\\"' * 3_000_000],
    ids=["empty lists", "ones", "a text that never ends"],
)
def test_small_texts_that_would_fill_a_memory(text):
    with refused(Malformed, "$"):
        pv.parse_json(text, limits=Limits(values=1_000_000))


IDS = ["..", "a/b", "a\\b", "/etc/passwd", "C:\\x", "a\x00b", "CON", "nul.txt", "com1", "a..b", "",
       ".hidden", "a.", "a b", "é", "a\nb", "-rf", "~root", "%2e%2e", "x" * 129, 7, None, ["a"],
       "\u202eabc", "aux.json"]  # fmt: skip


@pytest.mark.parametrize("value", IDS, ids=ascii)
def test_identifiers_that_a_file_system_could_read_as_a_path(tmp_path, value):
    told = oom()
    told["envelope"]["investigation_id"] = value
    with refused((UnsafeIdentifier, Malformed), "envelope.investigation_id"):
        RecordWriter(tmp_path, told["envelope"])
    assert not list(tmp_path.iterdir())


def test_names_of_others_become_identifiers_that_stay_apart():
    assert safe_id("django__django-11099") == "django__django-11099"
    names = ["../x", "..-x", "a/b", "a-b", "a b", "con", "é", "", "x" * 500, "x" * 501, "a..b"]
    found = [safe_id(name) for name in names]
    assert len(set(found)) == len(names) and found[3] == "a-b"


FIELDS = {
    "itself as trigger": (["plans", 1, "revision_trigger"], "step_004", SequenceOrder),
    "a circle of plans": (["plans", 0, "supersedes"], 2, pv.PlanVersionGap),
    "a plan that supersedes itself": (["plans", 1, "supersedes"], 2, pv.PlanVersionGap),
    "a step of a plan to come": (["steps", 0, "plan_version"], 2, SequenceOrder),
    "back in time": (["steps", 3, "sequence"], 2, SequenceOrder),
    "evidence of nobody": (["verdict", "evidence_chain", 1], "step_999", DanglingReference),
    "a list where an object is due": (["steps", 2], [1], Malformed),
    "an object where a list is due": (["steps", 1, "tool_calls"], {"a": 1}, Malformed),
    "a call that is a text": (["steps", 1, "tool_calls", 0], "rm -rf", Malformed),
    "a negative duration": (["steps", 0, "tool_calls", 0, "duration_ms"], -1, Malformed),
    "an endless duration": (["metadata", "duration_ms"], 1e300, Malformed),
    "a time without a zone": (["envelope", "started_at"], "2026-11-27T10:00", Malformed),
    "the year ten thousand": (["envelope", "started_at"], "10000-01-01T00:00Z", Malformed),
    "a schema before the first": (["envelope", "schema_version"], -3, Malformed),
    "a code that is a list": (["steps", 0, "intent_code"], ["verify"], Malformed),
    "an endless intent": (["steps", 0, "intent"], "x" * 1_000_001, Malformed),
    "more steps than any double holds": (["steps", 0, "sequence"], 10**400, Malformed),
    "a wildcard below a name": (["envelope", "authority", "permissions_scope"], ["**"], None),
}


@pytest.mark.parametrize("name", FIELDS)
def test_records_that_contradict_themselves(name):
    at, value, kind = FIELDS[name]
    told = place = oom()
    if kind is None:
        kind = pv.AuthorityExceeded
        told["envelope"]["authority"]["authority_chain"][0]["permissions_scope"] = ["syslog"]
    for part in at[:-1]:
        place = place[part]
    place[at[-1]] = value
    with refused(kind):
        pv.parse_record(told)


def test_values_that_are_too_long_to_be_shown_are_told_in_a_few_words():
    record = pv.Record({"investigation_id": 10**5000, "trigger": ["x"] * 10**6, "agent": {}})
    told = [str(fault) for fault in pv.problems(record)]
    assert told and all(len(line) < 400 and line.isprintable() for line in told)


LINES = {
    "CRLF and empty lines": (b"\r\n\n", None),
    "a list": (b"[1]\n", "steps.jsonl:5"),
    "a number": (b"17\n", "steps.jsonl:5"),
    "a duplicate": (b'{"x": {"a": 1, "a": 1}}\n', "steps.jsonl:5.x"),
    "cut in a letter": (b'{"a": "\xc3', "steps.jsonl:5"),
    "NULs of a lost block": (b"\x00" * 4096 + b"\n", "steps.jsonl:5"),
    "a line that never ends": (b"x" * 3_000_000, "steps.jsonl:5"),
}


@pytest.mark.parametrize("name", LINES)
def test_lines_of_a_log(tmp_path, name):
    folder, _ = write(tmp_path)
    added, path = LINES[name]
    with (folder / "steps.jsonl").open("ab") as out:
        out.write(added)
    limits = Limits(document=2_000_000)
    if path is None:
        assert len(pv.read_folder(folder, limits).steps) == 4
        return
    with refused(Malformed, path):
        pv.read_folder(folder, limits)
    with refused(Malformed, f"DBINFRA-1458/{path}"):
        list(pv.read_store(tmp_path, limits))


def test_a_log_without_end_and_a_writer_that_would_make_one(tmp_path):
    folder, _ = write(tmp_path)
    size = (folder / "steps.jsonl").stat().st_size
    with refused(Malformed, "steps.jsonl:3"):
        pv.read_folder(folder, Limits(record=5 * size // 8))
    told = oom()
    told["envelope"]["investigation_id"] = "small"
    with RecordWriter(tmp_path, told["envelope"], limits=Limits(record=2500)) as out:
        with refused(Malformed, "plans[0]"):
            out.plan(told["plans"][0] | {"rationale": "x" * 2500})
        out.plan(told["plans"][0])
    assert len(pv.read_folder(out.folder).plans) == 1


PARTS = ["envelope.json", "plans.jsonl", "steps.jsonl", "chain.jsonl", "verdict.json"]


@unix
@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("how", ["link", "dangling link", "pipe", "folder"])
def test_what_stands_in_the_place_of_a_file(tmp_path, name, how):
    folder, _ = write(tmp_path / "store")
    kept = tmp_path / "kept"
    (folder / name).rename(kept)
    kept.write_bytes(kept.read_bytes() + b'{"precious')
    before = kept.read_bytes()
    place = folder / name
    if how == "pipe":
        os.mkfifo(place)
    elif how == "folder":
        place.mkdir()
    else:
        place.symlink_to(kept if how == "link" else tmp_path / "nowhere")
    for use in (pv.verify_folder, pv.recover):
        with refused(Malformed, name):
            use(folder)
    if name != "chain.jsonl":
        with refused(Malformed, name):
            pv.read_folder(folder)
    assert kept.read_bytes() == before and not (tmp_path / "nowhere").exists()


@unix
def test_recovering_changes_no_file_of_two_names_and_nothing_at_all_when_it_refuses(tmp_path):
    folder, _ = write(tmp_path / "store")
    (tmp_path / "backup").hardlink_to(folder / "chain.jsonl")
    for name in ("steps.jsonl", "chain.jsonl"):
        with (folder / name).open("ab") as out:
            out.write(b'{"torn')
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with refused(Malformed, "chain.jsonl"):
        pv.recover(folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    (tmp_path / "backup").unlink()
    assert pv.recover(folder).cut_bytes == 12 and pv.verify_folder(folder).intact
    (folder / "chain.jsonl").write_bytes(b"")
    with (folder / "steps.jsonl").open("ab") as out:
        out.write(b'{"torn')
    before = (folder / "steps.jsonl").read_bytes()
    with refused(RecordError, "chain.jsonl"):
        pv.recover(folder)
    assert (folder / "steps.jsonl").read_bytes() == before


def test_a_verdict_that_another_tool_wrote_without_a_newline_is_kept(tmp_path):
    folder, _ = write(tmp_path)
    file = folder / "verdict.json"
    file.write_bytes(file.read_bytes().rstrip(b"\n"))
    pv.recover(folder)
    assert pv.read_folder(folder).verdict == oom()["verdict"]
    file.write_bytes(file.read_bytes()[:30])
    entries = (folder / "chain.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "chain.jsonl").write_bytes(b"".join(entries[:-1]))
    assert pv.recover(folder).cut_bytes == 30
    assert pv.read_folder(folder).verdict is None


CHAIN = {
    "a repeated index": lambda rows: [*rows[:3], rows[2], *rows[3:]],
    "an index as text": lambda rows: [rows[0] | {"number": "0"}, *rows[1:]],
    "an index that is true": lambda rows: [*rows[:1], rows[1] | {"number": True}, *rows[2:]],
    "an index of a fraction": lambda rows: [*rows[:1], rows[1] | {"number": 1.5}, *rows[2:]],
    "a negative index": lambda rows: [*rows[:1], rows[1] | {"number": -1}, *rows[2:]],
    "a hash that is short": lambda rows: [rows[0] | {"leaf": "ab"}, *rows[1:]],
    "a hash with blanks": lambda rows: [rows[0] | {"leaf": " " * 64}, *rows[1:]],
    "a hash that is a list": lambda rows: [rows[0] | {"link": [1]}, *rows[1:]],
    "a step called a plan": lambda rows: [*rows[:3], rows[3] | {"kind": "plan"}, *rows[4:]],
    "a kind of no kind": lambda rows: [*rows[:2], rows[2] | {"kind": "x"}, *rows[3:]],
    "nothing": lambda rows: [],
}


@pytest.mark.parametrize("name", CHAIN)
def test_chains_that_do_not_hold(tmp_path, name):
    folder, head = write(tmp_path)
    file = folder / "chain.jsonl"
    rows = [json.loads(line) for line in file.read_bytes().splitlines()]
    file.write_text("".join(json.dumps(row) + "\n" for row in CHAIN[name](rows)))
    with refused(Malformed):
        pv.read_verified(folder, head)
    with contextlib.suppress(Malformed):
        assert not pv.verify_folder(folder, head).intact


def test_what_was_verified_is_what_is_read(tmp_path, monkeypatch):
    folder, head = write(tmp_path)
    reads, read = [], jsonl.read_folder

    def counted(place, *rest, **named):
        reads.append(place)
        return read(place, *rest, **named)

    monkeypatch.setattr(jsonl, "read_folder", counted)
    assert jsonl.read_verified(folder, head).verdict == oom()["verdict"]
    assert len(reads) == 1  # a second read could see another record
    text = (folder / "verdict.json").read_text().replace("0.95", "0.25")
    (folder / "verdict.json").write_text(text)
    with refused(Malformed, "chain.jsonl"):
        pv.read_verified(folder, head)


@pytest.mark.parametrize("extra", [-1, 1, 60], ids=["short", "long", "very long"])
def test_merkle_proofs_of_another_length(extra):
    leaves = [bytes([k]) * 32 for k in range(11)]
    root = pv.merkle_root(leaves)
    for index in range(11):
        proof = pv.inclusion_proof(leaves, index)
        wrong = proof[:extra] if extra < 0 else proof + [b"\0" * 32] * extra
        assert not pv.verify_inclusion(leaves[index], index, 11, wrong, root)
        assert not pv.verify_inclusion(leaves[index], index + 11, 11, proof, root)
        assert not pv.verify_inclusion(leaves[index], -1, 11, proof, root)


class Disk:
    """`os.write` on a disk with so many bytes left."""

    def __init__(self, room):
        self.room, self.write = room, os.write

    def __call__(self, descriptor, data):
        count = min(len(data), self.room)
        self.room -= count
        if not count:
            raise OSError(28, "No space left on device")
        return self.write(descriptor, data[:count])


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    told = oom()
    out = RecordWriter(tmp_path, told["envelope"])
    out.plan(told["plans"][0])
    out.step(told["steps"][0])
    before = {file.name: file.read_bytes() for file in out.folder.iterdir()}
    for room in (0, 40, 700, 850):  # in the document, in its entry
        monkeypatch.setattr(writer.os, "write", Disk(room))
        with pytest.raises(OSError, match="No space"):
            out.step(told["steps"][1] | {"observation": "x" * 400})
        monkeypatch.undo()
        assert {file.name: file.read_bytes() for file in out.folder.iterdir()} == before
    out.step(told["steps"][1])
    out.close()
    assert len(pv.read_folder(out.folder).steps) == 2 and pv.verify_folder(out.folder).intact
    told["envelope"]["investigation_id"] = "second"
    monkeypatch.setattr(writer.os, "write", Disk(0))
    with pytest.raises(OSError, match="No space"):
        RecordWriter(tmp_path, told["envelope"])
    monkeypatch.undo()
    assert not (tmp_path / "second").exists()
    RecordWriter(tmp_path, told["envelope"]).close()


@unix
def test_tombstones_overwrite_nothing_behind_a_link(tmp_path):
    folder, head = write(tmp_path / "store")
    (tmp_path / "kept").write_text("precious")
    (tmp_path / "store" / "DBINFRA-1458.tombstone.json").symlink_to(tmp_path / "kept")
    stone = leave_tombstone(folder, head, 1.0)
    assert (tmp_path / "kept").read_text() == "precious" and not stone.is_symlink()
    assert read_tombstone(stone) == ("DBINFRA-1458", head)
    assert [file.name for file in (tmp_path / "store").iterdir()] == [stone.name]
    (tmp_path / "store" / "linked").symlink_to(tmp_path)
    with refused(Malformed, "linked"):
        leave_tombstone(tmp_path / "store" / "linked", head, 1.0)
    for text in ("[]", '{"head": 1}', '{"head": {"number": -1, "link": "a"}}', "{"):
        stone.write_text(text)
        with refused(Malformed):
            read_tombstone(stone)
