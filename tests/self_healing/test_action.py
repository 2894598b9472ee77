"""Windows, diagnoses, conformal sets, leakage, routing and the place of a language model."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.self_healing import (
    Case,
    EvidenceEdge,
    Replay,
    Scorer,
    View,
    abstains,
    allowed_support,
    ask,
    conformal_threshold,
    count_traffic,
    diagnose,
    evidence_of,
    fingerprint,
    library_of,
    names_the_answer,
    parse_proposal,
    prediction_set,
    proof_lines,
    reachability,
    read_cases,
    root_probabilities,
    same_evidence,
    thinned_support,
)

WORDS = {
    "R_DISK": "disk full on volume",
    "R_NET": "link reset by switch",
    "R_NODE": "node lost beat",
}


def windows(count: int = 24, seed: int = 0) -> list[Case]:
    """Return invented windows of one system: three roots, two windows an incident."""
    rng = np.random.default_rng(seed)
    roots = sorted(WORDS)
    found = []
    for k in range(count):
        root = roots[(k // 2) % 3]
        extra = " ".join(rng.choice(["job", "map", "task", "read", "write", "sync"], 4))
        edges = (EvidenceEdge(f"cause {root}", "alarm", 0.8),) if k % 2 else ()
        views = tuple(
            (level, View(f"{WORDS[root]} {extra} {level:g}", f"{WORDS[root]} here", edges))
            for level in (0.0, 1.0)
        )
        found.append(
            Case("HDFS", f"w{k}", f"i{k // 2}", root, f"A_{root}", f"cause {root}", "alarm", views)
        )
    return found


def raw(**change: Any) -> dict[str, Any]:
    """Return one window as its author's file has it."""
    view = {
        "selected_alert": "a", "context_text": "b",
        "graph_evidence": {"matched_edges": [
            {"source_template": "s", "target_template": "t", "weight": 0.5, "relation": "x"}]},
    }  # fmt: skip
    item = {
        "dataset": "HDFS", "case_id": "c1", "gt_family_id": "R", "gt_action_id": "A",
        "base_incident_id": "i1", "root_template": "r", "effect_template": "e",
        "noise_views": {"0.0": view, "1.0": view},
    }  # fmt: skip
    return {**item, **change}


def test_windows_are_read() -> None:
    (case,) = read_cases(json.dumps({"cases": [raw()]}))
    assert case.root == "R"
    assert case.view(1.0).edges == (EvidenceEdge("s", "t", 0.5, "x"),)
    assert same_evidence(case, 0.0, 1.0)
    with pytest.raises(ValueError, match="level"):
        case.view(0.5)


def view(evidence: object) -> dict[str, object]:
    """Return a view as the file has it."""
    return {"selected_alert": "a", "context_text": "b", "graph_evidence": evidence}


def test_windows_must_be_text() -> None:
    with pytest.raises(ValueError, match="must be text"):
        read_cases(None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not json", "no JSON at line 1"),
        ("[]", "no list"),
        ('{"cases": []}', "no list"),
        ('{"cases": [{"x": NaN}]}', "NaN"),
        (json.dumps({"cases": [raw(gt_family_id="")]}), "gt_family_id"),
        (json.dumps({"cases": [raw(gt_family_id="Z")]}), "label book"),
        (json.dumps({"cases": [raw(noise_views={"1.5": {}})]}), "level '1.5'"),
        (json.dumps({"cases": [raw(noise_views={})]}), "noise_views"),
        (json.dumps({"cases": [raw(noise_views={"0": {"selected_alert": 3}})]}), "selected_alert"),
        (json.dumps({"cases": [raw(), raw()]}), "twice"),
        (json.dumps({"cases": [3]}), "must be an object"),
        ("[" * 100_000, "too deep"),
        (json.dumps({"cases": [raw(noise_views={"0": view(5)})]}), "no list of edges"),
        (json.dumps({"cases": [raw(noise_views={"0": view({"matched_edges": 7})})]}), "no list"),
        (json.dumps({"cases": [raw(noise_views={"0": view({}), "0.0": view({})})]}), "level twice"),
        (
            json.dumps(
                {
                    "cases": [
                        raw(
                            noise_views={
                                "0": view(
                                    {
                                        "matched_edges": [
                                            {
                                                "source_template": "s",
                                                "target_template": "t",
                                                "weight": 1e308,
                                            }
                                        ]
                                    }
                                )
                            }
                        )
                    ]
                }
            ),
            "finite",
        ),
    ],
)
def test_windows_that_are_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_cases(text, label_book={"R", "A"})


def test_diagnoses_of_windows_that_words_tell_apart() -> None:
    cases = windows()
    library = library_of(cases, 1.0)
    allowed = allowed_support([case.incident for case in cases], library.similarity)
    for k, case in enumerate(cases):
        found = diagnose(library, k, allowed)
        assert (found.root, found.action) == (case.root, case.action)
        assert sum(found.probabilities.values()) == pytest.approx(1.0)
        assert all(cases[j].incident != case.incident for j in found.supports)
    lines = proof_lines(cases[1], diagnose(library, 1, allowed), cases, 1.0)
    assert lines[2].startswith("edge cause R_DISK -> alarm")
    assert sum(line.startswith("case ") for line in lines) == 3


def test_a_label_of_the_query_is_never_looked_at() -> None:
    cases = windows()
    library = library_of(cases, 0.0)
    allowed = allowed_support([case.incident for case in cases], library.similarity)
    from dataclasses import replace

    swapped = replace(
        library, roots=("R_NODE", *library.roots[1:]), actions=("A_X", *library.actions[1:])
    )
    one, other = diagnose(library, 0, allowed), diagnose(swapped, 0, allowed)
    assert one.root == other.root
    assert one.probabilities == pytest.approx(other.probabilities)


def test_each_channel_alone() -> None:
    cases = windows()
    library = library_of(cases, 0.0)
    allowed = allowed_support([case.incident for case in cases], library.similarity)
    graph = diagnose(library, 3, allowed, Scorer(votes=0.0, graph=4.0))
    assert graph.root == cases[3].root
    prior = diagnose(library, 3, allowed, Scorer(votes=0.0, prior=1.0))
    counts = [
        sum(cases[j].root == r for j in np.flatnonzero(allowed[3])) + 1 for r in library.labels
    ]
    np.testing.assert_allclose(list(prior.probabilities.values()), np.array(counts) / sum(counts))
    p = root_probabilities(library, allowed[3], allowed, Scorer(votes=0.0, prior=1.0))
    assert p[3].tolist() == pytest.approx(list(prior.probabilities.values()))


def test_no_support_is_left() -> None:
    cases = windows(4)
    library = library_of(cases, 0.0)
    found = diagnose(library, 0, np.zeros((4, 4), dtype=bool))
    assert found.supports == ()
    assert found.action == ""
    assert "case none" in proof_lines(cases[0], found, cases, 0.0)[-1]


def test_a_case_may_not_support_itself() -> None:
    cases = windows(4)
    library = library_of(cases, 0.0)
    with pytest.raises(ValueError, match="no case may support itself"):
        diagnose(library, 0, np.ones((4, 4), dtype=bool))
    with pytest.raises(ValueError, match="channels"):
        diagnose(library, 0, np.zeros((4, 4), dtype=bool), channels=("llm",))
    with pytest.raises(ValueError, match="one system"):
        library_of([], 0.0)


def test_who_may_support_whom() -> None:
    similarity = np.array([[1.0, 0.95, 0.2], [0.95, 1.0, 0.6], [0.2, 0.6, 1.0]])
    assert allowed_support(["x", "y", "y"], similarity).tolist() == [
        [False, True, True], [True, False, False], [True, False, False]]  # fmt: skip
    strict = allowed_support(["x", "y", "z"], similarity, 0.9)
    assert strict.tolist() == [[False, False, True], [False, False, True], [True, True, False]]
    whole = allowed_support(["x", "y", "z"], similarity)
    drawn = thinned_support(whole, strict, 1)
    assert drawn.sum(axis=1).tolist() == strict.sum(axis=1).tolist()
    assert not (drawn & ~whole).any()
    for bad in (-0.1, 1.2, float("nan")):
        with pytest.raises(ValueError, match="threshold"):
            allowed_support(["x", "y", "z"], similarity, bad)
    with pytest.raises(ValueError, match="part of it"):
        thinned_support(strict, whole, 1)


def test_evidence_that_names_the_answer() -> None:
    cases = windows(2)
    assert names_the_answer(cases[1], 1.0)
    assert not names_the_answer(cases[0], 1.0)


def test_reach_over_two_edges() -> None:
    edges = [EvidenceEdge("a", "b", 1.0), EvidenceEdge("b", "c", -2.0), EvidenceEdge("c", "c", 1.0)]
    found = reachability(edges)
    assert found["a"] == pytest.approx(max(np.tanh(1.0), np.tanh(1.0) * np.tanh(2.0)))
    assert found["b"] == pytest.approx(np.tanh(2.0))
    assert reachability([]) == {}


def test_the_conformal_threshold_by_hand() -> None:
    scores = np.array([0.1, 0.2, 0.3, 0.4])
    assert conformal_threshold(scores, 0.2) == 0.4
    assert conformal_threshold(scores, 0.4) == 0.3
    assert conformal_threshold(scores, 0.1) == np.inf
    assert prediction_set({"a": 0.6, "b": 0.3, "c": 0.1}, 0.7) == ("a", "b")
    assert prediction_set({"a": 0.6, "b": 0.4}, np.inf) == ("a", "b")
    assert abstains(("a", "b"), {"a": 0.6, "b": 0.4})
    assert abstains(("a",), {"a": 0.6, "b": 0.4}, margin=0.3)
    assert not abstains(("a",), {"a": 0.6, "b": 0.4})
    assert abstains((), {"a": 1.0})


@pytest.mark.parametrize("alpha", [0, 1, -0.1, float("nan"), "0.1"])
def test_the_conformal_threshold_refuses(alpha: object) -> None:
    with pytest.raises(ValueError, match="alpha"):
        conformal_threshold(np.array([0.1]), alpha)  # type: ignore[arg-type]


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.sampled_from([0.05, 0.1, 0.3]))
def test_coverage_of_exchangeable_scores(seed: int, alpha: float) -> None:
    draws = np.random.default_rng(seed).random((2000, 40))
    hits = [row[-1] <= conformal_threshold(row[:-1], alpha) for row in draws]
    assert np.mean(hits) >= 1 - alpha - 4 * np.sqrt(alpha * (1 - alpha) / 2000)


def test_what_leaves_the_node() -> None:
    found = count_traffic(["x" * 100, "ü" * 50], ["e" * 10, "f" * 30], [False, True])
    assert (found.sent_bytes, found.raw_bytes, found.escalated) == (30, 200, 1)
    assert found.saved == pytest.approx(0.85)
    assert found.decided_here == 0.5
    for arguments in (([], [], []), (["x"], [], [True]), ([""], ["e"], [True])):
        with pytest.raises(ValueError, match="="):
            count_traffic(*arguments)


def test_a_recorded_answer_is_replayed() -> None:
    view = windows(2)[1].view(1.0)
    evidence = evidence_of(view, "disk <*>", {"R_DISK": 0.7, "R_NET": 0.3})
    assert "context" not in evidence
    good = json.dumps(
        {"root_label": "R_DISK", "action_label": "A", "confidence": 0.8, "reasoning": ""}
    )
    replay = Replay({fingerprint(evidence): good})
    assert ask(replay, evidence, {"R_DISK"}, {"A"}).root == "R_DISK"
    assert ask(replay, evidence + " ", {"R_DISK"}, {"A"}).fault.endswith("recorded for it")


@pytest.mark.parametrize(
    "answer",
    [
        "I think it is the disk", "[]", "null", "",
        '{"root_label": "X", "action_label": "A", "confidence": 1}',
        '{"root_label": ["R"], "action_label": "A", "confidence": 1}',
        '{"root_label": "R", "action_label": "B", "confidence": 1}',
        '{"root_label": "R", "action_label": "A", "confidence": 1.5}',
        '{"root_label": "R", "action_label": "A", "confidence": NaN}',
        '{"root_label": "R", "action_label": "A", "confidence": true}',
        '{"root_label": "R", "action_label": "A"}', "[" * 100_000,
    ],
    ids=range(12),
)  # fmt: skip
def test_whatever_is_no_answer_abstains(answer: str) -> None:
    found = parse_proposal(answer, {"R"}, {"A"})
    assert found.root == ""
    assert found.fault
