"""The chapter's experiments on invented input, each against something computed in another way."""

import numpy as np
import pytest

from quire.self_healing import Case, EvidenceEdge, Log, View
from quire.self_healing.experiments import abstention, action, perception, reasoning, speed
from quire.self_healing.experiments.intervals import (
    cluster_interval,
    mean_interval,
    ratio_interval,
)

SAYS = {
    "R_DISK": "disk full on volume",
    "R_NET": "link reset by switch",
    "R_NODE": "node lost beat",
}


def log(system: str = "HDFS", lines: int = 120) -> Log:
    """Return an invented log of three templates."""
    contents, templates = [], []
    for k in range(lines):
        text, template = (
            (f"Received block blk_{k} of size {k}", "Received block blk_<*> of size <*>"),
            (f"PacketResponder {k} terminating", "PacketResponder <*> terminating"),
            ("Verification succeeded", "Verification succeeded"),
        )[k % 3]
        contents.append(text)
        templates.append(template)
    events = tuple(f"E{k % 3}" for k in range(lines))
    return Log(system, tuple(contents), events, tuple(templates), ("",) * lines)


def twins(count: int = 40) -> list[Case]:
    """Return windows in pairs that differ by a number; nothing else tells roots apart."""
    rng = np.random.default_rng(5)
    roots = sorted(SAYS)
    found = []
    for k in range(count):
        pair = k // 2
        words = np.random.default_rng(pair).permutation(list("abcdefghijklmnopqrstuvwxyz"))
        text = " ".join("".join(words[3 * i : 3 * i + 3]) for i in range(8))
        edge = (EvidenceEdge("cause", "alarm", 0.5),)
        views = tuple((level, View(f"{text} {k}", text, edge)) for level in (0.0, 1.0))
        root = roots[pair % 3]
        found.append(Case("HDFS", f"w{k}", f"i{k}", root, f"A_{root}", "cause", "alarm", views))
    order = rng.permutation(count)
    return [found[k] for k in order]


def test_intervals_by_hand() -> None:
    mean, low, high = mean_interval([1.0, 2.0, 3.0])
    assert mean == 2
    assert high - mean == pytest.approx(4.3027 / 3**0.5, rel=1e-4)
    assert low + high == pytest.approx(4.0)
    one = cluster_interval([0.0, 0.0, 1.0, 1.0], ["a", "a", "b", "b"], 400, 1)
    assert one == (0.5, 0.0, 1.0)
    with pytest.raises(ValueError, match="len"):
        mean_interval([1.0])


def test_parsers_on_a_plain_log() -> None:
    rows = perception.parsers([log()])
    assert [row.parser for row in rows] == ["Drain", "inducer"]
    assert rows[1].ga == rows[1].pa == rows[1].fta == 1
    assert rows[0].ga == 1
    assert rows[0].pa == pytest.approx(2 / 3)  # the benchmark masks blk_ away
    assert rows[0].repaired_pa == 1
    assert rows[0].constant_pa == pytest.approx(1 / 3)
    logs = [log(), log("Spark"), log("BGL")]
    assert [row["ga"] for row in perception.left_out(logs)] == [1.0] * 3


def test_noise_leaves_retrieval_its_references() -> None:
    rows = perception.under_noise(
        {"HDFS": log()}, [0.0, 1.0], [0.0, 0.5], 30, 3, {0.0: 0.0, 0.5: 0.0}
    )
    found = {(row.method, row.noise, row.dropped): row for row in rows}
    assert found["retrieval", 0.0, 0.0].pa == 1
    assert found["retrieval", 1.0, 0.5].pa < found["retrieval", 1.0, 0.0].pa
    assert ("retrieval", 0.0, 0.5) not in found  # shares above the first: highest level alone
    assert found["constant answer", 0.0, 0.0].pa < 0.7
    assert perception.chosen_theta({"HDFS": log()}, 0.0, cases=30) in (0.0, 0.3, 0.5, 0.66, 0.8)


def test_twins_are_looked_up_and_without_them_nothing_is_known() -> None:
    cases = twins()
    rows = action.exclusion_curve(cases, [None, 0.9], methods=action.METHODS, rounds=50)
    found = {(row.method, row.exclusion): row for row in rows if row.system == "all"}
    assert found["nearest three", 1.01].rca >= 0.9
    assert found["nearest three", 0.9].rca < 0.6
    assert found["nearest three", 0.9].supports == 38
    assert found["nearest three, thinned at random", 0.9].rca > 0.8
    assert found["scorer", 1.01].constant_rca == pytest.approx(14 / 40)
    fall = action.duplicate_fall(cases, 0.9, rounds=50)
    assert fall.fall > 0.3
    assert fall.low <= fall.fall <= fall.high
    assert fall.ratio < 0.3
    gain, low, high = action.over_constant(cases, None, rounds=50)
    assert low <= gain <= high
    assert gain > 0.5


def test_evidence_that_cannot_help_adds_nothing() -> None:
    (system, whole) = action.graph_leak(twins(), threshold=0.9)
    assert system.unmoved == whole.unmoved == 1
    assert whole.names_pair == 1
    assert whole.graph_only <= whole.constant + 0.2


def test_coverage_and_traffic() -> None:
    cases = twins(48)
    rows = abstention.coverage(cases, 0.2, levels=((0.0, 0.0),), splits=15)
    exact = next(row for row in rows if row.split == "random")
    assert exact.coverage >= 0.8 - 0.1
    assert 1 <= exact.size <= 3
    edge = abstention.edge_first(cases, 0.2, splits=2)
    assert edge.traffic.alerts >= 20
    assert 0 <= edge.traffic.decided_here <= 1
    assert edge.low <= edge.traffic.saved <= edge.high


def test_the_interval_of_a_ratio_draws_whole_clusters() -> None:
    names = [str(k // 5) for k in range(200)]
    below = [1.0] * 200
    above = np.repeat(np.random.default_rng(1).random(40), 5).tolist()
    low, high = ratio_interval(above, below, names, 2000, 1)
    spread = 1.96 * float(np.std(above)) / 40**0.5
    assert high - low == pytest.approx(2 * spread, rel=0.2)
    assert low < np.mean(above) < high
    with pytest.raises(ValueError, match="clusters = 3"):
        ratio_interval(above, below, names[:3], 2000, 1)


def test_no_rule_of_pc_closes_a_circle() -> None:
    for X in reasoning.pc_inputs(5):
        marks = reasoning.pc(X, 0.05).marks
        reach = arrow = (marks & ~marks.T).astype(int)
        for _ in range(len(arrow)):
            reach = np.minimum(reach + reach @ arrow, 1)
        assert not np.diag(reach).any()


def test_priors_and_the_control_without_data() -> None:
    rows = reasoning.priors_right_and_wrong(6, 200, range(3), (0.0, 1.0))
    assert [row.priors for row in rows] == ["none", "right", "100% wrong", "right, no data"]
    assert rows[0].gain == 0
    assert rows[1].named_rank <= rows[0].named_rank
    assert rows[3].unnamed_recall == 0
    assert rows[3].f1 > 0.5


def test_faults_are_ranked_with_controls() -> None:
    series, roots = reasoning.faults(4, 6, 450, size=6.0)
    rows = reasoning.rank_faults(series, roots, [[r] for r in roots])
    found = {row.method: row for row in rows}
    assert found["BARO"].top1 == 1
    assert found["residuals of the learnt graph"].top1 >= 0.75
    assert reasoning.first_place_gain(found["BARO"], found["BARO"]) == (0.0, 0.0, 0.0)


def test_pc_is_compared_with_its_own_answer() -> None:
    inputs = reasoning.pc_inputs(2, 5, 200)
    ours = [np.asarray(reasoning.pc(X, 0.05).marks) for X in inputs]
    assert reasoning.pc_differences(inputs, ours, 0.05) == (0, 0)
    turned = [marks.T for marks in ours]
    assert reasoning.pc_differences(inputs, turned, 0.05)[0] == 0


def test_a_race_in_a_process_of_its_own() -> None:
    (row, other) = speed.alone(
        "retrieval", queries=["disk 1 full"], references=["disk 2 full", "idle"]
    )
    assert row.gap == other.gap == 0
    assert row.low <= row.ratio <= row.high
    with pytest.raises(RuntimeError, match="KeyError"):
        speed.alone("no such task")


def test_a_fall_is_paired_over_draws_and_averaged_over_systems() -> None:
    def row(*draws: float) -> perception.NoiseRow:
        return perception.NoiseRow("A", "retrieval", 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, draws)

    pairs = [(row(1.0, 0.9), row(0.5, 0.6)), (row(0.8, 0.8), row(0.7, 0.4))]
    mean, low, high = perception.mean_difference(pairs)
    assert mean == pytest.approx(0.325)  # draws 0.3 and 0.35
    assert high - mean == pytest.approx(mean - low)
    assert 0.3 < high - mean < 0.34  # Student's 12.7 times 0.025
