"""Who erred by features and constants, and five questions asked of four representations."""

import numpy as np
import pytest

from quire.provenance import EnvelopeSealed, RecordWriter, wilson_interval
from quire.provenance.experiments import asking, attribution, expressiveness, root_causes
from quire.provenance.worlds.recording import records_of


def log(speakers, step, fault=True):
    history = [
        {"name": name, "content": "plan words here" if k != step else "an error " * fault}
        for k, name in enumerate(speakers)
    ]
    return {"history": history, "mistake_agent": speakers[step], "mistake_step": str(step)}


def logs(count, seed=0):
    random = np.random.default_rng(seed)
    return [log(list(random.permutation(["Ann", "Bob", "Cy"])) * 2, int(random.integers(6)))
            for _ in range(count)]  # fmt: skip


def by_fault(features, labels, groups):
    """Stand in for a classifier: the column of words of fault is the probability."""
    del labels, groups
    column = 2 + 10 + 2
    assert set(np.unique(features[:, column])) <= {0.0, 1.0}
    return lambda table: 0.9 * table[:, column]


def test_what_tells_the_fault_names_it_and_constants_do_not():
    rows = attribution.attribution("part", logs(40), by_fault, [1, 2])
    told = {row.way: row for row in rows}
    assert told["features"].agent == told["features"].step == 100
    assert told["who speaks first"].agent < 70 > told["one name, one step"].step
    assert told["features"].gain > 20 and told["features"].gain_low > 0
    assert told["who speaks first"].gain < 0
    for row in rows:
        assert 0 <= row.agent_low <= row.agent <= row.agent_high <= 100


def test_a_classifier_that_sees_nothing_is_near_chance():
    blind = attribution.attribution(
        "part", logs(60), lambda *_: lambda table: np.full(len(table), 0.1), [1]
    )
    told = next(row for row in blind if row.way == "features")
    assert told.step < 45 and told.agent < 60


def test_constants_are_learned_on_other_logs():
    same = [log(["Ann", "Bob"], 1) for _ in range(9)] + [log(["Ann", "Bob"], 0)]
    rows = attribution.attribution("part", same, by_fault, [0])
    told = next(row for row in rows if row.way == "one name, one step")
    assert told.agent == told.step == pytest.approx(90)


def test_a_margin_over_a_printed_share_counts_the_spread_of_both():
    # Newcombe 1998, table II, case (a): 56 of 70 against 48 of 80, method 10
    own = wilson_interval(56, 70)
    row = attribution.AttributionRow(
        "part", "way", 0.0, 0.0, 0.0, 80.0, 100 * own[0], 100 * own[1], 0.0, 0.0, 0.0
    )
    assert attribution.margin_over_printed(row, 60.0, 80) == pytest.approx(
        (20, 5.24, 33.39), abs=0.01
    )
    few, many = (attribution.margin_over_printed(row, 60.0, count) for count in (10, 10_000))
    assert few[1] < 0 < many[1] and few[2] > many[2]
    equal = attribution.margin_over_printed(row, 80.0, 80)
    assert equal[0] == 0 and equal[1] < 0 < equal[2]


def test_the_fitted_classifier_finds_the_words_of_fault():
    pytest.importorskip("sklearn")
    from quire.provenance.peers.sklearn import fit_messages

    rows = attribution.attribution("part", logs(30), fit_messages, [0])
    assert next(row for row in rows if row.way == "features").step > 90


def test_five_questions():
    s = asking.simulated(200, 6, 4, 8, [1.0], 3)
    chosen = expressiveness.suited(records_of(s.world, s.runs, range(100)), 8)
    assert len(chosen) == 8
    rows = expressiveness.expressiveness(chosen, 0.5, 4, 0)
    assert [row.question for row in rows] == list(expressiveness.QUESTIONS)
    assert all(row.record == row.lineage == 1 for row in rows)
    assert [row.spans for row in rows] == [0, 1, 0, 0, 0]
    silent = expressiveness.expressiveness(chosen, 0.0, 4, 0)
    assert [row.checkpoints for row in silent] == [0, 1, 0, 0, 0]
    frank = expressiveness.expressiveness(chosen, 1.0, 1, 0)
    assert min(row.checkpoints for row in frank) == 1


def test_two_ids_that_share_a_folder_are_told_apart(tmp_path):
    envelope = {"trigger": {"source": "t"}, "agent": {"model": "m"}}
    with RecordWriter(tmp_path, {**envelope, "investigation_id": "a_b"}):
        pass
    with pytest.raises(EnvelopeSealed, match="its folder is called 'a_b'"):
        RecordWriter(tmp_path, {**envelope, "investigation_id": "a:b"})


def asked(k, component, reason, said, task="task_6"):
    day, hour = 1 + k % 28, k % 24
    return {
        "instruction": f"On March {day}, 2021, from {hour:02d}:00 to {hour:02d}:30, find it",
        "prediction": said,
        "groundtruth": f"level: pod\ncomponent: {component}\nreason: {reason}",
        "passed": "",
        "failed": f"{component}\n{reason}",
        "score": "0.0",
        "task_index": task,
    }


def telling(component, reason):
    return f'{{"1": {{"root cause component": "{component}", "root cause reason": "{reason}"}}}}'


@pytest.fixture
def failures():
    """Failures whose agent always errs in the same way: it says another replica."""
    random = np.random.default_rng(0)
    rows = []
    for k in range(120):
        n = int(random.integers(3))
        rows.append(asked(k, f"db{n}", f"high load {n}", telling(f"web{n}", f"no load {n}")))
    return rows


def test_a_classifier_learns_what_the_agents_errors_tell(failures):
    pytest.importorskip("sklearn")
    from quire.provenance.peers.sklearn import fit_answers

    told = {row.way: row for row in root_causes.answered({"a": failures}, fit_answers, [1, 2])}
    assert told["classifier"].right > 95 and told["agent"].right == 0
    assert 20 < told["constant"].right < 50 and told["constant"].gain == 0
    assert told["classifier"].gain_low > 30


def test_labels_that_nothing_tells_are_not_learned(failures):
    pytest.importorskip("sklearn")
    from quire.provenance.peers.sklearn import fit_answers

    order = np.random.default_rng(1).permutation(len(failures))
    mixed = [{**failures[j], "prediction": failures[k]["prediction"],
              "instruction": failures[k]["instruction"]} for k, j in enumerate(order)]  # fmt: skip
    told = {row.way: row for row in root_causes.answered({"a": mixed}, fit_answers, [1])}
    assert told["classifier"].gain_low < 0 and told["classifier"].right < 60


def test_questions_of_one_window_are_never_on_both_sides():
    seen = []

    def fit(features, labels, groups):
        seen.append(set(groups.tolist()))
        return lambda table: np.full(len(table), "db0")

    rows = [asked(k // 2, "db0", "high load", "no JSON") for k in range(20)]
    told = {row.way: row for row in root_causes.answered({"a": rows}, fit, [0])}
    assert all(len(groups) == 8 for groups in seen)
    assert told["constant"].right == 100 and told["classifier"].right == 0


@pytest.mark.parametrize("said", ["", "[1]", '{"1": 3}', '{"1": {}}', "{" * 99])
def test_a_prediction_that_names_nothing_is_no_fault(said):
    rows = [asked(k, "db0", "high load", said) for k in range(5)]
    assert root_causes.answer_features(rows).shape[0] == 5
