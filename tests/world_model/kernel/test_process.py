"""The kernel's process: refuses, logs first, fails closed, and leaves nothing behind."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from jaxtyping import TypeCheckError

from quire import merkle
from quire.world_model import (
    Barrier,
    Kernel,
    KernelUnavailable,
    Policy,
    WorldModelError,
)
from quire.world_model.kernel import (
    ed25519,
    ledger,
)
from quire.world_model.kernel.client import Breaker, gate
from quire.world_model.kernel.server import KernelState

REFUSED = (ValueError, TypeCheckError)


RULES = Policy(
    allow_subjects=("worker",),
    allow_actions=("set_flow",),
    levels={"set_flow": 2},
    envelope={"set_flow": {"flow": (0.0, 10.0)}},
    barriers=(Barrier("set_flow", {"level": -1.0, "flow": -0.1}, -9.0),),
)


def test_the_kernel_grants_refuses_and_logs(tmp_path):
    log, done = tmp_path / "log", []
    with Kernel(RULES, log) as kernel, kernel.client("worker", ("set_flow",)) as client:
        assert client.act("set_flow", {"flow": 1.0, "level": 1.0}, lambda: done.append(1)).allowed
        assert (
            client.act("set_flow", {"flow": 11.0, "level": 1.0}, lambda: done.append(2)).reason
            == "envelope"
        )
        assert (
            client.act("set_flow", {"flow": 5.0, "level": 8.9}, lambda: done.append(3)).reason
            == "barrier"
        )
        assert client.act("explode", {}, lambda: done.append(4)).reason == "action_not_in_allowlist"
        head = client.connection.ask({"op": "inclusion", "index": 0})
        signed = ledger.tree_head(bytes.fromhex(head["root"]), head["size"], head["time"])
        assert ed25519.verify(kernel.public, signed, bytes.fromhex(head["signature"]))
        lines = log.read_bytes().splitlines()
        assert bytes.fromhex(head["leaf"]) == merkle.leaf_hash(lines[0])
    assert (
        done == [1] and [json.loads(line)["decision"] for line in lines] == ["ALLOW"] + ["DENY"] * 3
    )


def test_without_its_ledger_the_kernel_denies():
    full = Path("/dev/full")
    with Kernel(RULES, full) as kernel, kernel.client("worker", ("set_flow",)) as client:
        assert client.authorize("set_flow", {"flow": 1.0, "level": 1.0}).reason == "log_failure"


def test_a_killed_kernel_is_a_denial():
    done = []
    with Kernel(RULES) as kernel, kernel.client("worker", ("set_flow",)) as client:
        kernel.kill()
        for _ in range(3):
            told = client.act("set_flow", {"flow": 1.0, "level": 1.0}, lambda: done.append(1))
            assert told.reason == "kernel_unavailable"
        told = client.act("set_flow", {"flow": 1.0, "level": 1.0}, lambda: done.append(1))
    assert told.reason == "breaker_open" and not done
    with pytest.raises(KernelUnavailable):
        kernel.pid  # noqa: B018


@pytest.mark.parametrize("answer_first", [False, True])
def test_the_crash_schedule(tmp_path, answer_first):
    """Between entry and answer: log first loses an answer, answer first loses the evidence."""
    log, acted = tmp_path / "log", []
    broken = Kernel(RULES, log, answer_first, crash_after=2)
    with broken as kernel, kernel.client("worker", ("set_flow",)) as client:
        for k in range(3):
            told = client.act("set_flow", {"flow": float(k), "level": 1.0}, lambda: None)
            if told.allowed:
                acted.append(hashlib.sha256(told.token.encode()).hexdigest())
    logged = {json.loads(line).get("token") for line in log.read_text().splitlines()}
    assert bool(set(acted) - logged) == answer_first
    assert len(acted) == (2 if answer_first else 1)


def test_the_kernel_dies_with_its_parent(tmp_path):
    code = (
        "import sys, time\nfrom quire.world_model import Kernel, Policy\n"
        "k = Kernel(Policy()).__enter__()\nprint(k.pid, k._folder.name, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pid, folder = parent.stdout.readline().split(" ", 1)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 20
    while psutil.pid_exists(int(pid)) and psutil.Process(int(pid)).status() != "zombie":
        assert time.monotonic() < deadline, "the kernel outlives its parent"
        time.sleep(0.05)
    assert not Path(folder.strip()).exists(), "the kernel's folder outlives it"


def test_the_breaker_and_its_table():
    cases = {
        (s, e, p): gate(s, e, p)
        for s in ("closed", "half-open", "open")
        for e in (False, True)
        for p in (False, True)
    }
    assert [k for k, v in cases.items() if not v] == [
        ("half-open", 0, 1),
        ("half-open", 1, 1),
        ("open", 0, 0),
        ("open", 0, 1),
    ]
    now = [0.0]
    breaker = Breaker(lambda: now[0])
    for _ in range(3):
        assert breaker.permits()
        breaker.failed()
    assert not breaker.permits()
    now[0] = 30.0
    assert breaker.permits() and not breaker.permits()
    breaker.failed()
    assert not breaker.permits()
    now[0] = 61.0
    assert breaker.permits()
    breaker.succeeded()
    assert breaker.permits() and breaker.permits()
    with pytest.raises(WorldModelError):
        gate("ajar", True, True)


def test_an_exact_policy_refuses_parameters_that_no_rule_names():
    with (
        Kernel(replace(RULES, exact=True)) as kernel,
        kernel.client("worker", ("set_flow",)) as client,
    ):
        good = {"flow": 1.0, "level": 1.0}
        assert client.authorize("set_flow", good).allowed
        assert client.authorize("set_flow", {**good, "extra": 1e9}).reason == "envelope"


def test_messages_that_cannot_be_read_are_entered_by_their_hash(tmp_path):
    log = tmp_path / "log"
    lines = [b"{", b"[]", b'{"op":"explode"}', b'{"op":"authorize"}', b"\xff"]
    with Kernel(RULES, log) as kernel, kernel.client("worker", ("set_flow",)) as client:
        answers = [client.connection.ask_raw(line) for line in lines]
    assert [(a["decision"], a["reason"], a["index"]) for a in answers] == [
        ("DENY", "schema", k) for k in range(len(lines))
    ]
    entries = [json.loads(line) for line in log.read_bytes().splitlines()]
    told = [entry.get("message") for entry in entries]
    assert told[0] == hashlib.sha256(lines[0]).hexdigest() and len(told) == len(lines)


def test_a_torn_line_is_taken_back_from_the_ledger(tmp_path, monkeypatch):
    log = os.open(tmp_path / "log", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    try:
        state = KernelState(RULES, log, bytes(32))
        whole = os.write
        monkeypatch.setattr(os, "write", lambda file, data: whole(file, data[:5]))
        assert state.reply(b"{")["reason"] == "log_failure"
        monkeypatch.setattr(os, "write", whole)
        assert os.fstat(log).st_size == 0 and state.reply(b"{")["index"] == 0
    finally:
        os.close(log)


def test_numbers_beyond_a_double_are_denied_and_entered():
    with Kernel(RULES) as kernel, kernel.client("worker", ("set_flow",)) as client:
        for flow, level, reason in ((10**400, 1, "envelope"), (1, -(10**400), "barrier")):
            told = client.authorize("set_flow", {"flow": flow, "level": level})
            assert (told.allowed, told.reason) == (False, reason) and told.index is not None
