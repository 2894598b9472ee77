"""Traces, logs and metrics, and what is refused of them."""

import json

import numpy as np
import pytest

import quire.serving as serving
from quire.serving import (
    SchedulerConfig,
    Trace,
    linear_profile,
    poisson_trace,
    read_published,
    read_simulator_log,
    read_simulator_summary,
    read_trace,
    read_vllm_log,
    replay,
    served,
)

GOOD = {"arrival_ns": [0, 5], "n_in": [3, 4], "n_out": [1, 2]}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"arrival_ns": [-1, 5]}, "arrival_ns = -1"),
        ({"arrival_ns": [np.nan, 5]}, "arrival_ns has non-finite"),
        ({"arrival_ns": [5, 0]}, "arrival_ns falls"),
        ({"n_out": [1, 0]}, "n_out = 0"),
        ({"n_in": [0, 1]}, "n_in = 0"),
        ({"n_in": [1.5, 2]}, "n_in = 1.5"),
        ({"n_in": [1]}, "as many as arrivals"),
        ({"blocks": [0]}, "together"),
        ({"blocks": [0], "block_start": [0, 1]}, "block_start"),
        ({"blocks": [0, 1], "block_start": [0, 2, 1]}, "block_start"),
        ({"n_in": [True, False]}, "n_in"),
        ({"n_in": [], "n_out": [], "arrival_ns": []}, "arrival_ns"),
    ],
)
def test_traces_are_checked(changed, said):
    fields = {k: np.array(v) for k, v in {**GOOD, **changed}.items()}
    with pytest.raises(ValueError, match=said):
        Trace(**fields)


def test_traces_of_lines(tmp_path):
    file = tmp_path / "trace.jsonl"
    rows = [
        {"arrival_ns": 9, "input": 33, "output": 2, "blocks": [[4, 5]]},
        {"arrival_ns": 2, "input": 16, "output": 16, "blocks": [[0, 0], [7, 7]]},
    ]
    file.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    trace = read_trace(file)
    assert trace.arrival_ns.tolist() == [2, 9] and trace.blocks.tolist() == [0, 7, 4, 5]
    assert trace.first(1).blocks.tolist() == [0, 7]
    assert trace.select([1]).n_in.tolist() == [33]
    assert trace.faster(2).arrival_ns.tolist() == [1, 4]
    for text, said in (("", "no request"), ("{}\n", "line 1"), ('{"arrival_ns": 1}', "line 1")):
        file.write_text(text)
        with pytest.raises(ValueError, match=said):
            read_trace(file)


def test_missing_names_are_told_once():
    trace = Trace(
        np.array([0, 1]), np.array([40, 40]), np.array([1, 1]), np.array([0, 2, 3]),
        np.array([0, 1, 0]),
    )  # fmt: skip
    profile = linear_profile(serving.LLAMA_8B, 1.0, 1.0)
    with pytest.warns(UserWarning, match="1 of 2 requests"):
        replay(trace, profile, SchedulerConfig(20))


def test_poisson_traces_repeat():
    one, two = (poisson_trace(50, 10.0, (5, 9), (1, 3), 7) for _ in range(2))
    assert (one.arrival_ns == two.arrival_ns).all() and one.n_in.min() >= 5 and one.n_in.max() <= 9
    with pytest.raises(ValueError, match="per_second"):
        poisson_trace(5, 0.0, (1, 2), (1, 2), 0)


def test_metrics_by_hand():
    found = served(np.array([0, 10]), np.array([5, 30]), np.array([25, 30]), np.array([5, 1]), 2.0)
    assert found.ttft_ms.tolist() == [10, 40]
    assert found.tpot_ms.tolist() == [10, 0]
    assert found.latency_ms.tolist() == [50, 40]
    assert found.makespan_s == pytest.approx(0.06)
    assert found.tokens_per_s == pytest.approx(100)
    assert found.cell("TTFT", "P90") == pytest.approx(37)
    assert found.cell("TTFT", "median") == 25
    for metric, statistic in (("ITL", "mean"), ("TTFT", "P50")):
        with pytest.raises(ValueError, match=r"metric|statistic"):
            found.cell(metric, statistic)
    with pytest.raises(ValueError, match="tokens must come after"):
        served(np.array([5]), np.array([4]), np.array([6]), np.array([1]), 1.0)


def test_logs(tmp_path):
    file = tmp_path / "log.jsonl"
    row = {"output_toks": 3, "arrival_time": 1e9}
    rows = [
        {**row, "request_id": "bench-1", "queued_ts": 1, "first_token_ts": 2, "last_token_ts": 4},
        {**row, "request_id": "bench-0", "queued_ts": 0, "first_token_ts": 3, "last_token_ts": 5},
    ]
    file.write_text("\n".join(json.dumps(each) for each in rows))
    found = read_vllm_log(file)
    assert found.ttft_ms.tolist() == [3000, 1000] and found.tpot_ms.tolist() == [1000, 1000]
    file.write_text(json.dumps(rows[0]) + "\n" + json.dumps(rows[0]))
    with pytest.raises(ValueError, match="request 1 stands twice"):
        read_vllm_log(file)
    file.write_text('{"request_id": "bench-0"}')
    with pytest.raises(ValueError, match="line 1"):
        read_vllm_log(file)
    table = tmp_path / "sim.csv"
    table.write_text("request id,output,arrival,end_time,TTFT\n1,2,10,50,20\n0,2,0,90,30\n")
    assert read_simulator_log(table).latency_ms.tolist() == pytest.approx([9e-5, 4e-5])
    table.write_text("request id,output\n1,2\n")
    with pytest.raises(ValueError, match="arrival"):
        read_simulator_log(table)
    words = tmp_path / "words.txt"
    words.write_text("TTFT Mean    100.0   99.0   -1.0%\nLatency P90   7.0  7.7  +1.0%\n")
    assert read_published(words) == {("TTFT", "mean"): (100, 99), ("latency", "P90"): (7, 7.7)}
    words.write_text("Total simulation time: 0h 6m 36.065s\nPreemptions:    194\n")
    assert read_simulator_summary(words) == {"wall seconds": 396.065, "Preemptions": 194}
    words.write_text("nothing")
    for reader in (read_published, read_simulator_summary):
        with pytest.raises(ValueError, match=r"words\.txt"):
            reader(words)


def test_the_package_opens_with_an_example_that_runs():
    code = [line[4:] for line in serving.__doc__.splitlines() if line.startswith("    ")]
    space = {}
    exec("\n".join(code), space)
    assert space["served"].tokens_per_s > 0
    assert space["result"].preemptions == 0


def test_requests_are_chosen_by_number_or_by_a_mask():
    trace = Trace(np.arange(4), np.full(4, 16), np.full(4, 2))
    assert trace.select(np.array([False, True, False, True])).arrival_ns.tolist() == [1, 3]
    assert trace.select([2, 0]).arrival_ns.tolist() == [0, 2]
    for wrong in ([4], [-1], [], [True], [0.5]):
        with pytest.raises(ValueError, match="which"):
            trace.select(wrong)


@pytest.mark.parametrize(
    "fields", [{"blocks": [[5, 3]]}, {"blocks": [[0, 10**12]]}, {"arrival_ns": "soon"}]
)
def test_lines_that_are_no_requests(tmp_path, fields):
    file = tmp_path / "trace.jsonl"
    file.write_text(json.dumps({"arrival_ns": 0, "input": 40, "output": 2, **fields}))
    with pytest.raises(ValueError, match="line 1 is no request"):
        read_trace(file)


def test_numbers_that_no_clock_and_no_count_has(tmp_path):
    with pytest.raises(ValueError, match="below"):
        Trace(np.array([1e300]), np.array([1]), np.array([1]))
    with pytest.raises(ValueError, match="n_in"):
        poisson_trace(3, 1.0, (9, 2), (1, 2), 0)
    with pytest.raises(ValueError, match="one of each"):
        served(np.zeros(2), np.ones(2), np.ones(2), np.ones(3), 1.0)
    with pytest.raises(ValueError, match="n_out"):
        served(np.zeros(1), np.ones(1), np.ones(1), np.array([np.nan]), 1.0)
    line = {"request_id": "bench-0", "queued_ts": 0, "first_token_ts": 1, "last_token_ts": 2}
    file = tmp_path / "log.jsonl"
    file.write_text(json.dumps({**line, "output_toks": float("nan")}))
    with pytest.raises(ValueError, match="line 1"):
        read_vllm_log(file)
