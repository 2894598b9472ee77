import math

import pytest

from quire.brokers import (
    MalformedTable,
    early_fanout_rows,
    fanout_rows,
    pair_rows,
    reset_rows,
)
from quire.brokers.experiments import published
from quire.brokers.tables import audits, derived
from quire.brokers.tables.rows import batches, complete, of

LINE = {
    "transport": "nats",
    "payload": "1024",
    "rate": "1000",
    "run_id": "scale_20251216_023451_nats_p1024_n100_r10",
    "sub_tps": "990",
    "p50_ms": "1",
    "p95_ms": "2",
    "p99_ms": "3",
    "sent": "0",
    "recv": "49500",
    "avg_cpu_perc": "150",
    "avg_mem_used_bytes": "2000000",
}
FAN = {
    **LINE,
    "subs": "10",
    "run_id": "fanout_20260302_202610_nats_p1024_s10_r1000",
    "loss_pct": "0.00",
}
RESET = {
    "broker": "emqx",
    "qos": "1",
    "duration_sec": "585",
    "net_failures": "6",
    "sent": "100",
    "received": "90",
    "lat_p50_ms": "1",
    "lat_p99_ms": "5",
    "lat_max_ms": "9",
    "mttf": "30",
    "mttr": "5",
}


def test_a_row_has_units():
    (row,) = pair_rows([LINE])
    assert (row.broker, row.size, row.cpu_cores, row.memory_mb) == ("NATS", 100, 1.5, 2.0)
    assert row.delivered == pytest.approx(0.99)
    assert math.isnan(row.samples)
    (fan,) = fanout_rows([FAN])
    assert fan.offered_per_s == 10_000
    (reset,) = reset_rows([RESET])
    assert reset.loss == pytest.approx(0.1)


def test_the_oldest_fan_outs_name_their_size_in_the_transport():
    old = {k: v for k, v in LINE.items() if not k.startswith("avg")}
    old |= {"max_cpu_perc": "50", "max_mem_used_bytes": "3000000"}
    rows = early_fanout_rows(
        [
            old,
            {**old, "transport": "fanout-mqtt-emqx-s64"},
            {**old, "transport": "fanout-zenoh-peer-s4"},
        ]
    )
    assert [(row.broker, row.size, row.cpu_cores) for row in rows] == [("EMQX", 64, 0.5)]
    with pytest.raises(MalformedTable, match="line 2"):
        early_fanout_rows([{**old, "transport": "fanout-nats-s4", "rate": "x"}])


@pytest.mark.parametrize(
    "wrong",
    [
        {"transport": "kafka"},
        {"rate": "fast"},
        {"rate": "0"},
        {"rate": "-1"},
        {"sub_tps": "nan"},
        {"p50_ms": "inf"},
        {"run_id": "no pairs here"},
        {"recv": ""},
        {"recv": "1_000"},
        {"payload": "10.7"},
        {"run_id": "scale_20251399_999999_nats_p1024_n100_r10"},
    ],
    ids=str,
)
def test_a_wrong_cell_is_told_with_its_line(wrong):
    with pytest.raises(MalformedTable, match="line 3"):
        pair_rows([LINE, {**LINE, **wrong}])


@pytest.mark.parametrize("wrong", [{"sent": "0"}, {"sent": "10.5"}, {"qos": "0.5"}], ids=str)
def test_a_wrong_cell_of_the_resets_is_told_with_its_line(wrong):
    with pytest.raises(MalformedTable, match="line 2"):
        reset_rows([{**RESET, **wrong}])


def test_a_missing_column_is_named():
    with pytest.raises(MalformedTable, match="p95_ms"):
        pair_rows([{k: v for k, v in LINE.items() if k != "p95_ms"}])
    with pytest.raises(MalformedTable, match="subs"):
        fanout_rows([LINE])
    with pytest.raises(MalformedTable, match="mttr"):
        reset_rows([{k: v for k, v in RESET.items() if k != "mttr"}])


def level(size, **changes):
    names = {"recv": str(changes.pop("recv", size * 500)), **changes}
    run = f"scale_20251216_{changes.get('at', '023451')}_nats_p1024_n{size}_r10"
    names.pop("at", None)
    return {**LINE, "rate": str(size * 10), "sub_tps": str(size * 10), "run_id": run, **names}


def test_knee_memory_and_highest_by_hand():
    rows = pair_rows(
        [
            level(100, avg_mem_used_bytes="1000000"),
            level(200, avg_mem_used_bytes="1500000", sub_tps="1985"),
            level(300, sub_tps="2500", p95_ms="500", avg_mem_used_bytes="2000000"),
        ]
    )
    assert derived.knee(rows) == 200
    assert derived.knee(rows, p95_ms=1.0) is None
    assert derived.highest_per_s(rows) == 2500
    assert derived.kb_per_pair(rows) == pytest.approx(5.0)
    with pytest.raises(ValueError, match="size = 7"):
        derived.memory_mb(rows, 7)
    with pytest.raises(ValueError, match="rows"):
        derived.highest_per_s([])


def test_a_prediction_by_hand():
    rows = pair_rows(
        [level(n, avg_cpu_perc=str(20 + n // 10)) for n in (100, 200, 400)]
        + [level(5000, sub_tps="30000", avg_cpu_perc="400")]
    )
    one = derived.predict(rows, "NATS", 4)
    assert one is not None
    assert one.predicted_per_s == pytest.approx(38_000)  # 0.2 + 1e-4 a message, of 4 cores
    assert (one.levels, one.saturated, one.highest_per_s) == (3, True, 30_000)
    assert derived.predict(rows, "Redis", 4) is None
    with pytest.raises(ValueError, match="law"):
        derived.predict(rows, "NATS", 4, law="magic")


def test_a_repeated_level_counts_last_and_batches_split():
    rows = pair_rows([level(100, sub_tps="900"), level(100, at="223451", sub_tps="1000")])
    assert [row.received_per_s for row in complete(rows)] == [1000]
    assert [len(batch) for batch in batches(rows)] == [1, 1]
    (repeated,) = audits.repeated_levels(rows)
    assert (repeated.first, repeated.second) == (0.9, 1.0)


def test_audits_by_hand():
    quartiles = {"p50_ms": "2", "p95_ms": "4", "p99_ms": "6"}
    tail = {"p50_ms": "50", "p95_ms": "95", "p99_ms": "99"}
    rows = fanout_rows([{**FAN, **quartiles}, {**FAN, **tail}])
    assert audits.share_like_quartiles(rows) == 0.5
    assert audits.never_sent(rows) == 2
    assert audits.more_samples_than_messages(rows) == 0  # absent is not more
    assert audits.loss_by_counting(rows[0], 10.0) == pytest.approx(1 - 49_500 / 100_000)
    assert audits.above_offered(pair_rows([{**LINE, "sub_tps": "1020"}]))
    assert not audits.above_offered(pair_rows([LINE]))
    with pytest.raises(ValueError, match="none has latencies"):
        audits.share_like_quartiles([])


def test_a_machine_row_out_of_the_authors_tables(pair_tables):
    rows = {row.broker: row for row in published.machine_rows(pair_tables)}
    assert rows["NATS"].highest_4 == pytest.approx(93.168, abs=1e-3)
    assert (rows["NATS"].knee_1, rows["NATS"].knee_4) == (2000, 9000)
    assert rows["Mosquitto"].knee_2 == 1000
    assert rows["EMQX"].knee_2 is None
    assert rows["Redis"].kb_per_pair == pytest.approx(16.6, abs=0.1)


def test_predictions_out_of_the_authors_tables(pair_tables):
    found = {p.broker: p.ratio for p in published.predictions({4: pair_tables[4]})}
    assert found["Mosquitto"] == pytest.approx(0.70, abs=0.01)
    assert found["RabbitMQ"] == pytest.approx(0.97, abs=0.01)
    worst = published.worst_ratio(published.predictions({4: pair_tables[4]}))
    assert worst == pytest.approx(0.70, abs=0.01)
    with pytest.raises(ValueError, match="at least one"):
        published.worst_ratio([])
    low = published.predictions({4: pair_tables[4]}, below=0.6)
    assert {p.broker for p in low}.isdisjoint({"Mosquitto", "Redis"})  # too few such levels


def test_the_fan_out_table_reports_no_loss(fanout_table):
    assert {row.loss for row in fanout_table} == {0.0}
    assert audits.window_s(fanout_table) == pytest.approx(51.0, abs=0.1)
    worst = of(fanout_table, "NATS")[-1]
    assert audits.loss_by_counting(worst, 51.0) == pytest.approx(0.81, abs=0.01)


def test_the_resets_table(reset_table):
    rows = reset_rows(reset_table)
    assert len(rows) == 15
    assert all(row.loss == 0 for row in rows if row.qos)
    assert audits.greatest_below_median(rows) == 15
