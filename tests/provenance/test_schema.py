import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.provenance import (
    AuthorityExceeded,
    ConfidenceRange,
    DanglingReference,
    DuplicateKey,
    Limits,
    Malformed,
    NonAdditiveChange,
    PlanVersionGap,
    ProfileUnknown,
    Redaction,
    SequenceOrder,
    UnsafeIdentifier,
    canonical_bytes,
    check_additive,
    parse_json,
    parse_record,
    problems,
)
from quire.provenance.schema.profiles import PROFILES
from quire.provenance.schema.records import assemble
from quire.provenance.schema.rules import permitted
from quire.provenance.schema.shapes import Field

from .records import oom


def test_the_running_example_is_read():
    record = parse_record(canonical_bytes(oom()))
    assert record.id == "DBINFRA-1458"
    assert [step["tool_calls"][0]["tool"] for step in record.evidence()] == [
        "listener_status",
        "crs_status",
        "syslog",
    ]
    assert parse_record(record.to_bytes()) == record
    assert problems(record) == []


def test_fields_that_nobody_named_are_kept():
    told = oom()
    told["steps"][0]["weather"] = {"rain": True}
    assert parse_record(told).steps[0]["weather"] == {"rain": True}


BROKEN = [
    (["verdict", "evidence_chain"], ["step_009"], DanglingReference, "verdict.evidence_chain[0]"),
    (["verdict", "confidence"], 1.2, ConfidenceRange, "verdict.confidence"),
    (["verdict", "confidence"], True, ConfidenceRange, "verdict.confidence"),
    (["verdict", "confidence"], "0.9", ConfidenceRange, "verdict.confidence"),
    (["verdict", "root_cause_category"], "A > > B", Malformed, "verdict.root_cause_category"),
    (["verdict", "alternatives_rejected", 0, "rejected_by"], "step_007", DanglingReference,
     "verdict.alternatives_rejected[0].rejected_by"),
    (["plans", 1, "plan_version"], 3, PlanVersionGap, "plans[1].plan_version"),
    (["plans", 1, "supersedes"], 0, PlanVersionGap, "plans[1].supersedes"),
    (["plans", 1, "revision_trigger"], "step_003", SequenceOrder, "plans[1].revision_trigger"),
    (["plans", 1, "revision_trigger"], "step_8", DanglingReference, "plans[1].revision_trigger"),
    (["steps", 0, "plan_version"], 7, DanglingReference, "steps[0].plan_version"),
    (["steps", 0, "plan_version"], 2, SequenceOrder, "steps[0].plan_version"),
    (["steps", 1, "sequence"], 1, SequenceOrder, "steps[1].sequence"),
    (["steps", 1, "step_id"], "step_001", SequenceOrder, "steps[1].step_id"),
    (["steps", 2, "intent_code"], "guess", Malformed, "steps[2].intent_code"),
    (["steps", 2, "tool_calls", 0, "tool"], "drop_table", AuthorityExceeded,
     "steps[2].tool_calls[0].tool"),
    (["steps", 0, "intent"], 3, Malformed, "steps[0].intent"),
    (["steps", 0, "domain"], {"component": 3}, Malformed, "steps[0].domain.component"),
    (["envelope", "profile"], "astrology", ProfileUnknown, "envelope.profile"),
    (["envelope", "profile_version"], 9, ProfileUnknown, "envelope.profile"),
    (["envelope", "investigation_id"], "../../etc/passwd", UnsafeIdentifier,
     "envelope.investigation_id"),
    (["envelope", "investigation_id"], "a\x00b", UnsafeIdentifier, "envelope.investigation_id"),
    (["envelope", "investigation_id"], "a" * 200, UnsafeIdentifier, "envelope.investigation_id"),
    (["envelope", "authority", "authority_chain", 1, "permissions_scope"], ["dns_lookup"],
     AuthorityExceeded, "envelope.authority.permissions_scope[1]"),
    (["envelope", "trigger"], [], Malformed, "envelope.trigger"),
    (["envelope"], None, Malformed, "envelope"),
    (["steps"], {"a": 1}, Malformed, "steps"),
]  # fmt: skip


@pytest.mark.parametrize(("at", "value", "kind", "path"), BROKEN, ids=lambda v: None)
def test_what_is_broken_is_named_with_its_path(at, value, kind, path):
    told = place = oom()
    for part in at[:-1]:
        place = place[part]
    place[at[-1]] = value
    with pytest.raises(kind) as fault:
        parse_record(told)
    assert fault.value.path == path


def test_every_problem_is_told_at_once():
    told = oom()
    told["verdict"]["evidence_chain"] = ["x1", "step_002", "x2"]
    told["plans"][1]["supersedes"] = 4
    assert [p.path for p in problems(assemble(told))] == [
        "plans[1].supersedes",
        "verdict.evidence_chain[0]",
        "verdict.evidence_chain[2]",
    ]


@pytest.mark.parametrize(
    "text",
    [
        b"NaN", b"[Infinity]", b"1e999", b"9007199254740993", b"1" * 5000, b'"\\ud800"', b"\xff",
        b"", b"[1,]", b"[" * 70 + b"]" * 70, b"[" * 200_000, b"{'a': 1}",
    ],
    ids=range(12),
)  # fmt: skip
def test_hostile_text_is_refused(text):
    with pytest.raises(Malformed):
        parse_json(text)


def test_duplicate_keys_and_sizes_are_refused():
    with pytest.raises(DuplicateKey, match="'a' stands twice"):
        parse_json('{"b": {"a": 1, "a": 2}}')
    with pytest.raises(Malformed, match=r"^\$\.a\[1\]: has 30 characters"):
        parse_json('{"a": [1, "' + "x" * 30 + '"]}', limits=Limits(string=20))
    with pytest.raises(Malformed, match="at most 10"):
        parse_json(" " * 11, limits=Limits(document=10))
    told = oom()
    told["steps"][3]["tool_calls"][0]["output"] = math.nan
    with pytest.raises(Malformed, match=r"steps\[3\]\.tool_calls\[0\]\.output"):
        parse_record(told)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"), (-0.0, "0"), (1e21, "1e+21"), (1e20, "100000000000000000000"),
        (1e-6, "0.000001"), (1e-7, "1e-7"), (4.5, "4.5"), (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"), (0.1, "0.1"),
        ({"\U0001f600": 1, "\ufb33": 2}, '{"\U0001f600":1,"\ufb33":2}'),
        ("\x0f\n\"\\/é", '"\\u000f\\n\\"\\\\/é"'),
    ],
    ids=range(12),
)  # fmt: skip
def test_canonical_values_of_rfc_8785(value, text):
    assert canonical_bytes(value).decode() == text


SCALARS = (
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.integers(-(2**53) + 1, 2**53 - 1)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=60)
@given(JSON)
def test_canonical_bytes_read_back_and_are_a_fixed_point(value):
    once = canonical_bytes(value)
    assert canonical_bytes(parse_json(once)) == once


def test_a_large_double_is_read_back_in_its_shortest_digits():
    once = canonical_bytes({"a": 2.560013436509837e16})
    assert once == b'{"a":25600134365098370}' and canonical_bytes(parse_json(once)) == once
    with pytest.raises(Malformed):
        parse_json("25600134365098371")


def test_profiles_grow_by_addition_only():
    for (name, version), profile in PROFILES.items():
        if (name, version + 1) in PROFILES:
            check_additive(profile.step, PROFILES[name, version + 1].step)
    old = {"a": Field("text")}
    for new in ({}, {"a": Field("whole")}, {"a": Field("text"), "b": Field("text", True)}):
        with pytest.raises(NonAdditiveChange):
            check_additive(old, new)


@pytest.mark.parametrize(
    ("tool", "scope", "yes"),
    [
        ("dns_lookup", ["dns_lookup"], True),
        ("dns_lookup", ["dns_*"], True),
        ("dns_lookup", [], False),
        ("dns", ["call:dns"], True),
        ("query_logs", ["read:logs"], True),
        ("delete_logs", ["read:logs"], False),
        ("restartService", ["read:service"], False),
        ("restartService", ["restart:service"], True),
        ("drop_database", ["read:logs"], False),
        ("read", ["read:logs"], False),
    ],
    ids=range(10),
)
def test_scopes(tool, scope, yes):
    assert permitted(tool, scope) is yes


SECRETS = [
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.abcDEF123",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
    "sk-abcdefghijklmnop1234",
]


@pytest.mark.parametrize("secret", SECRETS, ids=range(5))
def test_secrets_are_taken_out_wherever_they_stand(secret):
    document = {
        "observation": f"found {secret} in env",
        "tool_calls": [{"output": [{"x": secret}]}],
    }
    clean = Redaction().apply(document)
    assert secret not in str(clean) and "found" in clean["observation"]
    assert not Redaction().spares(canonical_bytes(document))
    assert clean["redacted"] == ["observation", "tool_calls[0].output[0].x"]


def test_secrets_are_taken_out_by_name_and_counts_stay():
    clean = Redaction().apply(
        {
            "tokens": {"input": 5},
            "input": {"password": "hunter2", "dbPassword": 12, "api_key": "k", "user": "a"},
            "log": "login password=hunter2, token: abc; url postgres://u:p4ss@host/db",
            "header": "Authorization: Bearer abcdefgh12345678",
        }
    )
    assert clean["tokens"] == {"input": 5}
    assert clean["input"]["user"] == "a"
    assert not any(word in str(clean) for word in ("hunter2", "abc;", "p4ss", "abcdefgh", "12,"))
    dropped = Redaction(drop=frozenset({"output"})).apply({"output": {"a": 1}, "b": 2})
    assert dropped["output"] == "[redacted]" and dropped["b"] == 2


LEAKS = [
    '"{\\"password\\": \\"hunter2\\"}"',
    'password="a \\" hunter2" rest',
    "Set-Cookie: session=hunter2",
    "Authorization: token hunter2",
    "tool --password hunter2",
    "<password>hunter2</password>",
    "postgres://u:p@hunter2@host/db",
    "credentials: hunter2",
    "sk_live_hunter2abcdef",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----\nhunter2\n-----END PGP PRIVATE KEY BLOCK-----",
]


@pytest.mark.parametrize("text", LEAKS, ids=range(10))
def test_secrets_in_tool_outputs_are_taken_out_in_these_forms_too(text):
    clean = Redaction().apply({"tool_calls": [{"output": text}]})
    assert "hunter2" not in str(clean) and clean["redacted"] == ["tool_calls[0].output"]
    assert not Redaction().spares(canonical_bytes({"tool_calls": [{"output": text}]}))


@pytest.mark.parametrize("name", [
    "password", "pwd", "secret", "token", "apiKey", "authorization", "auth-token", "cookie",
    "credentials", "session_id", "ssn", "bearer", "dbPassword", "TOKEN",
])  # fmt: skip
def test_one_look_at_a_document_overlooks_no_name_that_says_secret(name):
    document = {"tokens": {"input": 3}, "input": {name: "hunter2"}}
    assert "hunter2" not in str(Redaction().apply(document))
    assert not Redaction().spares(canonical_bytes(document))
    plain = canonical_bytes({"tokens": {"input": 3}, "intent": "look higher through the logs"})
    assert Redaction().spares(plain) and not Redaction(drop=frozenset({"intent"})).spares(plain)
    assert Redaction(forms=False).spares(canonical_bytes(document))


def test_a_secret_in_a_field_s_name_is_taken_out():
    clean = Redaction().apply({"output": {"token=hunter2": 1, "token=hunter3": 2, "a": 3}})
    assert "hunter" not in str(clean) and sorted(clean["output"].values()) == [1, 2, 3]
    assert not any(
        "hunter2" in str(Redaction().apply({name: ["hunter2"]}))
        for name in ("passwords", "secretKey", "bearer")
    )
