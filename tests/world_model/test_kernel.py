"""The safety kernel: refuses, logs first, fails closed, and leaves nothing behind."""

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
    TokenForged,
    TokenRefused,
    WorldModelError,
)
from quire.world_model.kernel import (
    attempts,
    canonical,
    ed25519,
    gauntlet,
    ledger,
    obligations,
    proposals,
    tokens,
)
from quire.world_model.kernel.client import Breaker, gate
from quire.world_model.kernel.modifications import static_fault
from quire.world_model.kernel.nonces import UsedNonces
from quire.world_model.kernel.policy import decide
from quire.world_model.kernel.server import KernelState

REFUSED = (ValueError, TypeCheckError)

RULES = Policy(
    allow_subjects=("worker",),
    allow_actions=("set_flow",),
    levels={"set_flow": 2},
    envelope={"set_flow": {"flow": (0.0, 10.0)}},
    barriers=(Barrier("set_flow", {"level": -1.0, "flow": -0.1}, -9.0),),
)
CLAIMS = {
    "action": "sio_run_cycles",
    "aud": "kernel/authorize",
    "run_id": "run_abc",
    "subject": "worker",
    "params_fingerprint": hashlib.sha256(b"").hexdigest(),
    "issued_at": 1715212345.0,
    "expires_at": 1715212405.0,
    "nonce": "abcdEFgh-12_AB",
}


def test_the_authors_vector_of_canonical_json():
    assert canonical.canonical(CLAIMS) == (
        '{"action":"sio_run_cycles","aud":"kernel/authorize","expires_at":1715212405.0,'
        '"issued_at":1715212345.0,"nonce":"abcdEFgh-12_AB","params_fingerprint":'
        '"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","run_id":"run_abc",'
        '"subject":"worker"}'
    )


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":2}',
        "NaN",
        "[Infinity]",
        "[" * 99 + "]" * 99,
        '"' + "a" * 70_000 + '"',
        "{",
        b"\xff",
    ],
    ids=range(7),
)
def test_strange_json_is_refused(text):
    with pytest.raises(WorldModelError):
        canonical.read(text)


@pytest.mark.parametrize("text", ["AA=", "AB", "A", "AA A", "é"], ids=range(5))
def test_only_canonical_base_64_is_read(text):
    with pytest.raises(WorldModelError):
        canonical.decode64(text)


VECTORS = [  # RFC 8032, section 7.1
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
]


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("vector", VECTORS, ids=["one", "two"])
def test_rfc_8032_vectors(vector, by_hand):
    seed, public, message, signature = map(bytes.fromhex, vector)
    assert ed25519.public_key(seed, by_hand) == public
    assert ed25519.sign(seed, message, by_hand) == signature
    assert ed25519.verify(public, message, signature, by_hand)
    assert not ed25519.verify(public, message + b"x", signature, by_hand)
    s = int.from_bytes(signature[32:], "little") + ed25519.L  # the same scalar, not reduced
    assert not ed25519.verify(public, message, signature[:32] + s.to_bytes(32, "little"), by_hand)


def test_trees_and_their_proofs():
    leaves = [merkle.leaf_hash(bytes([k])) for k in range(12)]
    grown = ledger.GrowingTree()
    for n in range(1, 13):
        grown.append(bytes([n - 1]))
        tree = merkle.merkle_root(leaves[:n])
        assert grown.root() == tree
        for k in range(n):
            proof = merkle.inclusion_proof(leaves[:n], k)
            assert merkle.verify_inclusion(leaves[k], k, n, proof, tree)
            assert not merkle.verify_inclusion(leaves[(k + 1) % 12], k, n, proof, tree)
            assert not merkle.verify_inclusion(leaves[k], k, n, [*proof, tree], tree)
            older = merkle.merkle_root(leaves[: k + 1])
            path = merkle.consistency_proof(leaves[:n], k + 1)
            assert merkle.verify_consistency(k + 1, n, older, tree, path)
            assert not merkle.verify_consistency(k + 1, n, tree[::-1], tree, path)


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


def test_tokens_are_for_one_thing():
    seed = bytes([7] * 32)
    token = tokens.issue(CLAIMS, seed)
    public = ed25519.public_key(seed)
    assert tokens.verify(token, public, 1715212350.0, CLAIMS, set())["nonce"] == CLAIMS["nonce"]
    payload, signature = token.split(".")
    for forged in (
        token + "=",
        payload + "." + signature[:-1],
        f" {token}",
        payload,
        "." + signature,
        token[::-1],
    ):
        with pytest.raises(TokenForged):
            tokens.verify(forged, public, 1715212350.0, CLAIMS, set())
    with pytest.raises(WorldModelError):
        tokens.issue({**CLAIMS, "more": 1}, seed)


def test_the_gauntlet_lets_nothing_through_and_refuses_nothing_good(tmp_path):
    rows = gauntlet.run(tmp_path, 5, fuzzed=60)
    assert sum(r.attempts for r in rows) == 97 + 102 + 60 + sum(gauntlet.OURS.values())
    assert [r.name for r in rows if r.escaped] == []
    assert all(r.granted == r.controls for r in rows) and sum(r.controls for r in rows) > 15


@pytest.mark.parametrize("weakened", ["nothing protected", "ceiling at A6", "no barrier"])
def test_the_gauntlet_finds_a_weaker_policy(tmp_path, weakened):
    assert weakened in attempts.WEAKER
    assert sum(r.escaped for r in gauntlet.run(tmp_path, 5, fuzzed=150, weakened=weakened)) > 0


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


def test_obligations_are_decided_exactly():
    domain = {"a": (0, 5), "b": (0, 5)}
    core = obligations.rules(domain, [{"a": (2, 4), "b": (1, 3)}])
    for boxes in ([{"a": (2, 3)}], [{"a": (2, 3)}, {"a": (4, 4), "b": (1, 2)}], []):
        new = obligations.rules(domain, boxes)
        weaker = obligations.weakening(core, new)
        truth = [
            {"a": a, "b": b}
            for a in range(6)
            for b in range(6)
            if 2 <= a <= 4
            and 1 <= b <= 3
            and not any(
                all(low <= {"a": a, "b": b}[n] <= high for n, (low, high) in box.items())
                for box in boxes
            )
        ]
        assert weaker in truth
    assert (
        obligations.weakening(core, obligations.rules(domain, [{"a": (2, 3)}, {"a": (4, 5)}]))
        is None
    )
    assert "(check-sat)" not in obligations.smt_lib(core, core)
    for bad in ({}, {"a": (1, 0)}, {"a": (0.0, 1)}, {"a": (True, 2)}):
        with pytest.raises(REFUSED):
            obligations.rules(bad, [])


@pytest.mark.parametrize(
    "source",
    [*proposals.HOSTILE, "", "x" * 5000, "def step(x, u):\n    return x.real\n"],
    ids=range(18),
)
def test_forbidden_code_never_runs(source):
    assert static_fault(source)


def test_modifications():
    outcomes = proposals.judge(proposals.proposals(30, 15, 3))
    assert all(o.passed == (0 if o.hostile else o.count) for o in outcomes) and len(outcomes) == 4


@pytest.mark.parametrize(
    "call",
    [
        lambda: Policy(ceiling=7),
        lambda: Policy(levels={"a": -1}),
        lambda: Policy(levels={"a": True}),
        lambda: Policy(envelope={"a": {"x": (1.0, 0.0)}}),
        lambda: Policy(envelope={"a": {"x": (float("nan"), 1.0)}}),
        lambda: Policy(barriers=(Barrier("a", {}, 0.0),)),
        lambda: Policy(barriers=(Barrier("a", {"x": float("inf")}, 0.0),)),
    ],
    ids=range(7),
)
def test_bad_policies_are_refused(call):
    with pytest.raises(REFUSED):
        call()


def test_what_is_protected_is_found_however_it_is_named(tmp_path):
    kept = tmp_path / "policy.json"
    kept.write_text("x")
    rules = Policy(
        allow_subjects=("w",),
        allow_actions=("write",),
        levels={"write": 1},
        protected=(str(kept),),
    )

    def reason(params):
        request = {
            "action": "write",
            "run_id": "r",
            "subject": "w",
            "params": params,
            "params_fingerprint": canonical.fingerprint(params),
            "capability": "c",
        }
        return decide(rules, request, 3, False, {"subject": "w", "actions": ["write"]})

    hidden = [
        [str(kept)],
        {"a": {"b": [str(kept)]}},
        {str(kept): 1},
        f"file://{kept}",
        f"file://localhost{kept}",
        f" {kept} ",
        str(tmp_path / "\uff50olicy.json"),
        "policy.json",
        "./policy.json",
        "../x/POLICY.json",
    ]
    assert [reason({"target": target}) for target in hidden] == ["protected_target"] * len(hidden)
    for good in (str(tmp_path / "other.json"), "other.json", ["a", {"b": "c"}], "~nobody-here/x"):
        assert reason({"target": good}) == "allowed"
    for over in (str(tmp_path), str(tmp_path.parent), "/", str(tmp_path / "POLICY.json")):
        assert reason({"target": over}) == "protected_target"
    read = replace(rules, levels={"write": 0})
    request = {
        "action": "write",
        "run_id": "r",
        "subject": "w",
        "params": {"target": str(tmp_path)},
        "params_fingerprint": canonical.fingerprint({"target": str(tmp_path)}),
        "capability": "c",
    }
    assert decide(read, request, 3, False, {"subject": "w", "actions": ["write"]}) == "allowed"


def test_an_exact_policy_refuses_parameters_that_no_rule_names():
    with (
        Kernel(replace(RULES, exact=True)) as kernel,
        kernel.client("worker", ("set_flow",)) as client,
    ):
        good = {"flow": 1.0, "level": 1.0}
        assert client.authorize("set_flow", good).allowed
        assert client.authorize("set_flow", {**good, "extra": 1e9}).reason == "envelope"


def test_a_restarted_device_obeys_no_token_again(tmp_path):
    seed, file = bytes([7] * 32), tmp_path / "nonces"
    public, now = ed25519.public_key(seed), time.time()

    def token(nonce, issued):
        claims = {**CLAIMS, "issued_at": issued, "expires_at": issued + 60.0, "nonce": nonce}
        return tokens.issue(claims, seed)

    def obeyed(text, used, at):
        try:
            tokens.verify(text, public, at, CLAIMS, used)
        except tokens.TokenReplayed:
            return False
        return True

    first, second = token("first", now + 1.0), token("second", now + 1.0)
    kept = UsedNonces(file)
    assert obeyed(first, kept, now + 2.0) and not obeyed(first, kept, now + 2.0)
    with file.open("ab") as torn:
        torn.write(b"half a non")
    again = UsedNonces(file)
    assert not obeyed(first, again, now + 3.0) and obeyed(second, again, now + 3.0)
    assert set(UsedNonces(file)) >= {"first", "second"} and len(UsedNonces(file)) == 3
    assert not obeyed(token("old", now - 1.0), UsedNonces(), now + 3.0)
    again.discard("first")
    assert "first" in again


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


@pytest.mark.parametrize("now", [None, float("nan"), float("inf"), "now"], ids=range(4))
def test_a_clock_without_a_time_accepts_no_token(now):
    seed = bytes(range(32))
    token, public = tokens.issue(CLAIMS, seed), ed25519.public_key(seed)
    with pytest.raises(REFUSED):
        tokens.verify(token, public, now, CLAIMS, set())
    with pytest.raises(REFUSED):
        tokens.verify(token, public, 1e12, CLAIMS, set(), float("inf"))
    with pytest.raises(TokenRefused):
        tokens.verify(token, public, 1715212350.0, {**CLAIMS, "action": "\ud800"}, set())
