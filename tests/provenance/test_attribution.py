"""Who erred by features and constants, and five questions asked of four representations."""

import numpy as np
import pytest

from quire.provenance import EnvelopeSealed, RecordWriter
from quire.provenance.experiments import asking, attribution, expressiveness
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
