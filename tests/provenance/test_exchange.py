import json
import struct
import zipfile

import numpy as np
import pytest

import quire.provenance as pv
from quire.provenance import Malformed, ReplayMiss
from quire.provenance.exchange.otel import fields_of_spans
from quire.provenance.experiments import asking, corpora, identifiability, integrity, storage
from quire.provenance.experiments.example import running_example

from .records import oom


def test_spans_hold_calls_and_lose_the_why():
    record = pv.parse_record(oom())
    spans = pv.to_spans(record)
    assert [s["name"] for s in spans][:3] == ["invoke_agent", "chat m-1", "execute_tool dns_lookup"]
    assert len({s["span_id"] for s in spans}) == len(spans) == 9
    lost = pv.lost_fields(record, spans)
    for name in ("steps[].intent", "verdict.confidence", "plans[].rationale"):
        assert name in lost
    for name in ("steps[].tool_calls[].tool", "steps[].tokens.input", "envelope.agent.model"):
        assert name not in lost
    assert fields_of_spans(spans)["steps"][0]["tool_calls"][0]["output"] == {
        "says": "all names resolve"
    }


def test_prov_gives_the_record_back():
    for record in (pv.parse_record(oom()), running_example()):
        document = json.loads(json.dumps(pv.to_prov(record)))
        assert pv.from_prov(document) == record
        used = {row["prov:usedEntity"] for row in document["wasDerivedFrom"].values()}
        made = {row["prov:generatedEntity"] for row in document["wasDerivedFrom"].values()}
        assert (used | made) <= set(document["entity"])
    with pytest.raises(Malformed):
        pv.from_prov({"entity": {}})


def tau(task, trial, reward, calls=9, text=None):
    traj = [{"role": "system", "content": "policy " * 50}, {"role": "user", "content": "hello"}]
    for k in range(calls):
        call = {"id": f"c{k}", "function": {"name": "look", "arguments": json.dumps({"k": k})}}
        traj.append({"role": "assistant", "content": text, "tool_calls": [call]})
        traj.append({"role": "tool", "tool_call_id": f"c{k}", "content": f"out {k}"})
    return {"task_id": task, "trial": trial, "reward": reward, "traj": traj}


def test_published_forms_are_imported():
    record = pv.from_tau_bench(tau(3, 1, 1.0, text=None))
    assert record.steps[2]["tool_calls"][0] == {
        "tool": "look",
        "input": {"k": 2},
        "output": "out 2",
    }
    assert record.steps[2]["intent"] == "" and record.metadata["reward"] == 1
    swe = {"trajectory": [{"action": "open a.py\n", "thought": "see", "observation": "x"}]}
    assert pv.from_swe_agent(swe, "a/b c").steps[0]["tool_calls"][0]["tool"] == "open"
    assert pv.from_swe_agent({"history": []}, "x").steps == ()
    log = {
        "history": [
            {"role": "Orchestrator (thought)", "content": "a"},
            {"name": "Bot", "role": "x"},
        ],
        "mistake_agent": "Orchestrator",
        "mistake_step": "0",
    }
    record = pv.from_who_and_when(log, "w1")
    assert [s["target"] for s in record.steps] == ["Orchestrator", "Bot"]
    assert record.metadata["mistake"]["step"] == 0
    row = {"instruction": "?", "prediction": "{broken", "score": "0.5", "passed": "a", "failed": ""}
    assert pv.from_openrca(row, "Bank", 1).metadata["prediction"] == "{broken"
    for bad in ({}, {"task_id": "1", "trial": 0}, []):
        with pytest.raises(Malformed):
            pv.from_tau_bench(bad if isinstance(bad, dict) else {"task_id": 1, "trial": 0})


def test_inspect_logs_are_read_and_bad_ones_refused(tmp_path):
    sample = {
        "id": 1,
        "epoch": 1,
        "messages": [
            {"role": "assistant", "content": [{"type": "text", "text": "why"}],
             "tool_calls": [{"id": "a", "function": "look", "arguments": {"x": 1}}]},
            {"role": "tool", "tool_call_id": "a", "content": "seen"},
        ],
    }  # fmt: skip
    file = tmp_path / "log.eval"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("samples/1_epoch_1.json", json.dumps(sample))
        out.writestr("header.json", "{}")
    step = pv.from_inspect(next(pv.read_samples(file))).steps[0]
    assert (step["intent"], step["tool_calls"][0]["output"]) == ("why", "seen")
    for text in ("[]", '{"a": 1, "a": 2}', "{"):
        with zipfile.ZipFile(file, "w") as out:
            out.writestr("samples/1.json", text)
        with pytest.raises(Malformed):
            list(pv.read_samples(file))
    file.write_bytes(b"no zip" + struct.pack("<I", 7))
    with pytest.raises(Malformed, match="is no log"):
        list(pv.read_samples(file))


def test_reconciliation_and_consistency():
    a, b = {"tool": "t", "input": {"x": 1}}, {"tool": "t", "input": {"x": 2}}
    found = pv.reconcile([a, a], [a, b])
    assert (found.matched, found.fidelity) == (1, pytest.approx(1 / 3))
    assert (found.unreported, found.invented) == (("t",), ("t",))
    assert pv.reconcile([], []).fidelity == 1
    assert pv.intent_action_consistency(pv.parse_record(oom())) == 1
    told = oom()
    told["steps"][0]["target"] = "node-33"
    assert pv.intent_action_consistency(pv.parse_record(told)) == 0


def test_replay_policies():
    record = pv.parse_record(oom())
    tools = pv.RecordedTools(record)
    assert tools.call("syslog", {"host": "node-3"})["says"].startswith("oom")
    with pytest.raises(ReplayMiss, match=r"tools\.syslog"):
        tools.call("syslog", {"host": "node-3"})  # once was recorded
    loose = pv.RecordedTools(record, "fifo")
    assert loose.tool("syslog")(host="other")["says"].startswith("oom") and loose.drifted == 1
    with pytest.raises(ReplayMiss):
        loose.call("never")
    assert pv.RecordedTools(record, "stub", stub=0).call("never") == 0
    with pytest.raises(ValueError, match="on_miss"):
        pv.RecordedTools(record, "guess")


def test_two_runs_are_compared_step_by_step():
    first = pv.parse_record(oom())
    told = oom()
    told["steps"][1]["inference_code"] = "supports"  # the plan is not changed in words
    del told["steps"][3]
    told["verdict"]["evidence_chain"] = ["step_002", "step_003"]
    found = pv.compare_runs(first, pv.parse_record(told))
    kinds = [pair.kind for pair in found.pairs]
    assert kinds == ["equal", "equivalent", "equal", "dropped"]
    assert (found.matched, found.converged) == (0.75, True)
    assert found.evidence_overlap == pytest.approx(2 / 3)
    assert pv.compare_runs(first, first).count("equal") == 4
    low, high = pv.wilson_interval(50, 50)
    assert high == 1 and 0.92 < low < 0.94


def test_experiments_on_small_cases():
    s = asking.simulated(400, 6, 4, 8, [0.5, 1.0], 3)
    assert asking.same_policy_differences(s, 4) == 0
    exact = asking.compare_answers(s.columns, s.columns, asking.asked_of_spans(s.columns))
    assert not any(row.text_wrong for row in exact)
    assert sum(row.spans_wrong for row in exact) >= 5
    # tools are not lost in text, so what needs no words stays right
    text = asking.asked_of_text(s.columns, 0.0, 3, 1)
    rows = {r.question: r for r in asking.compare_answers(s.columns, text, s.columns)}
    assert rows["intents carried out"].text_wrong and not rows["steps to verdict"].text_wrong
    rows = asking.made_up_intents(s, [0.0, 0.5], [1, 2])
    assert rows[0][2] == 0 and abs(rows[1][1] - 0.5) < 0.1
    assert [r.tau for r in asking.calibration(s)] == [0.5, 1.0]
    assert identifiability.intent_witness(s.runs).pairs >= 1
    alpha, own = identifiability.style_agreement(2, 100, 1)
    assert own == 1 and alpha <= 1
    assert sum(row[2] for row in integrity.tampering(running_example(), 150, 1)) == 0
    assert integrity.cut_faults(running_example(), 6, 1) == 0


def test_storage_and_corpora_on_made_runs():
    runs = [tau(0, 0, 1.0, 9), tau(0, 1, 0.0, 12), tau(1, 0, 1.0, 3), tau(1, 1, 1.0, 8, "why")]
    chosen = storage.chosen_runs(runs, 5)
    assert [len(r["traj"]) for r in chosen] == [20, 26, 18]
    rows = storage.storage(chosen, [100_000, 160_000, 80_000], [21, 27, 19])
    assert rows[0].record_without_outputs < rows[0].record and storage.square_law(rows)[1] > 0.9
    silent = corpora.silence(runs, [])
    assert (silent[0].turns, silent[0].stated) == (32, 8)
    assert corpora.tau_successes(runs).tolist() == [[1, 0], [1, 1]]
    assert corpora.tau_pass(corpora.tau_successes(runs))[1][1] == 0.5
    answers = [
        {"score": "1", "passed": "db1", "failed": ""},
        {"score": "0", "passed": "", "failed": "db1\nhigh load"},
    ]
    assert corpora.openrca({"A": answers})[0].constant == 2
    assert corpora.openrca_tests({"A": answers})[1] == 1
    logs = [{"history": [{"role": "O (a)"}, {"role": "O (b)"}], "mistake_agent": "O",
             "mistake_step": "1"}]  # fmt: skip
    row = corpora.chance({"x": logs})[0]
    assert (row.agent, row.agent_merged) == (50, 100)
    assert np.isfinite(corpora.tau_confidence(corpora.tau_successes(runs), 4)["Brier"])
