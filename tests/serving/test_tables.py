"""Tables as other people write them: each is read as the plain one is, or refused by name."""

import gzip

import numpy as np
import pytest

from quire.serving import (
    LLAMA_8B,
    LLAMA_70B,
    QWEN3_32B,
    Batch,
    Link,
    ModelShape,
    grid_from_rows,
    profile_from_operators,
    profile_from_predictions,
    read_columns,
)
from quire.serving.profiles.borrowed import borrowed_profile, weights_of
from quire.serving.profiles.bundles import curve_of
from quire.serving.profiles.csvfiles import time_column, times_ns, unit_of
from quire.serving.profiles.experts import experts_from_rows
from quire.serving.profiles.layers import FIRST_PROFILER

MODEL = ModelShape("tiny", 2, 64, 4, 2, 16, 128, 1000)
NAMES = ["layernorm", "qkv_proj", "o_proj", "gate_up_proj", "act_fn", "down_proj", "lm_head"]
DENSE = {
    "layer": [name for name in NAMES for _ in range(2)],
    "tokens": [1, 8] * 7,
    "median_us": [float(k) for k in range(10, 24)],
}
ATTENTION = {
    "phase": ["prefill"] * 4 + ["decode"] * 4,
    "chunk": [16, 16, 32, 32, 0, 0, 0, 0],
    "kv_prefill": [0, 64, 0, 64, 0, 0, 0, 0],
    "n_decode": [0, 0, 0, 0, 1, 1, 4, 4],
    "kv_decode": [0, 0, 0, 0, 64, 128, 64, 128],
    "median_us": [10.0, 12.0, 20.0, 24.0, 1.0, 2.0, 3.0, 5.0],
}
BATCHES = (
    Batch((16,), (32,), (64, 96)),
    Batch((), (), (70, 80, 90)),
    Batch((32,), (0,)),
    Batch((), (), (256,) * 9),
)


def times(dense, attention, **kwargs):
    profile = profile_from_operators(MODEL, dense, attention, **kwargs)
    return [profile.step_ns(batch) for batch in BATCHES]


def renamed(table, name, factor):
    return {
        (name if k == "median_us" else k): (
            [v * factor for v in column] if k == "median_us" else column
        )
        for k, column in table.items()
    }


def kept(table, rows):
    return {name: [column[k] for k in rows] for name, column in table.items()}


def rows_of(table):
    return len(table["median_us"])


PLAIN = times(DENSE, ATTENTION)


def split(table):
    """Return the dense table with q, k, v and gate, up apart, under the first profiler's names."""
    rows = {name: [] for name in table}
    for k, layer in enumerate(table["layer"]):
        parts = {
            "qkv_proj": ("q_proj", "k_proj", "v_proj"),
            "gate_up_proj": ("gate_proj", "up_proj"),
        }
        other = {"layernorm": "input_layernorm"}
        for part in parts.get(layer, (other.get(layer, layer),)):
            share = table["median_us"][k] / len(parts.get(layer, "x"))
            for name, value in zip(rows, (part, table["tokens"][k], share), strict=True):
                rows[name].append(value)
    return rows


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("median_ns", 1e3),
        ("latency(ns)", 1e3),
        ("time_us", 1.0),
        ("Mean [ms]", 1e-3),
        ("duration (s)", 1e-6),
        ("avg_µs", 1.0),
    ],
)
def test_a_time_under_another_name_and_unit(name, factor):
    found = times(renamed(DENSE, name, factor), renamed(ATTENTION, name, factor))
    assert found == pytest.approx(PLAIN)
    mixed = times(DENSE, renamed(ATTENTION, name, factor))
    assert mixed == pytest.approx(PLAIN)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: kept(t, range(len(t["median_us"]))[::-1]),
        lambda t: dict(reversed(t.items())),
        lambda t: {"device": ["A"] * rows_of(t), **t, "min_us": [0.0] * rows_of(t)},
        lambda t: {**t, "p99_us": [1e9] * rows_of(t), "clock (MHz)": ["-"] * rows_of(t)},
        lambda t: {k: [*c, *(v * 7 if k == "median_us" else v for v in c)] for k, c in t.items()},
        lambda t: {k: np.asarray(c) for k, c in t.items()},
    ],
    ids=["rows back", "columns back", "more columns", "worse columns", "rows twice", "arrays"],
)  # fmt: skip
def test_what_does_not_matter(change):
    assert times(change(DENSE), change(ATTENTION)) == pytest.approx(PLAIN)


def test_least_and_largest_are_no_times():
    table = {k: v for k, v in DENSE.items() if k != "median_us"} | {"min_us": DENSE["median_us"]}
    with pytest.raises(ValueError, match="median_us"):
        times(table, ATTENTION)
    assert time_column({"min_us": 0, "max_us": 0, "mean_us": 0, "timeout_s": 0}, "t") == "mean_us"
    assert unit_of("tokens") is None and unit_of("us") is None and unit_of("Time.MS") == 1e6
    with pytest.raises(ValueError, match="has no column 't'"):
        times_ns("table", {"x": [1]}, "t")


def test_projections_in_parts():
    assert times(split(DENSE), ATTENTION) == pytest.approx(PLAIN)
    some = split(DENSE)
    without = [k for k, layer in enumerate(some["layer"]) if layer != "v_proj"]
    with pytest.raises(ValueError, match="layer = 'qkv_proj'"):
        times(kept(some, without), ATTENTION)


@pytest.mark.parametrize("hole", range(8))
def test_a_missing_point_of_attention_is_between_or_beyond_its_neighbours(hole):
    left = [k for k in range(8) if k != hole]
    profile = profile_from_operators(MODEL, DENSE, kept(ATTENTION, left))
    full = profile_from_operators(MODEL, DENSE, ATTENTION)
    grid, whole = profile.attention, full.attention
    assert np.isfinite(grid.values).all() and (grid.values >= 0).all()
    for batch in BATCHES:
        assert profile.step_ns(batch) == pytest.approx(full.step_ns(batch), rel=0.5)
    assert whole.values.max() >= grid.values.min()


def test_batches_beyond_the_table_grow_on():
    # beyond four sequences a line through one and four: 1/3 a sequence and 4/3 at 128 tokens
    profile = profile_from_operators(MODEL, DENSE, ATTENTION)
    nine, ten = (profile.step_ns(Batch((), (), (128,) * n)) for n in (9, 10))
    dense = profile.token_ns(10, rounded=False) + 0.0
    heads = profile.sequence_ns(10, rounded=False)
    grown = (ten - dense[10] - heads[10]) - (nine - dense[9] - heads[9])
    assert grown == pytest.approx(2 * 1e3)


@pytest.mark.parametrize(
    "text",
    [
        "layer,tokens,time_us\nx,1,2\nx,4,5\n",
        "layer;tokens;time_us\nx;1;2\nx;4;5\n",
        "layer\ttokens\ttime_us\nx\t1\t2\nx\t4\t5\n",
        "# device: other\nlayer, tokens, time_us\r\nx, 1, 2\r\n\r\nx, 4, 5\r\n",
        "layer,tokens,time_us,\nx,1,2,\nx,4,5,\n",
        "\ufefflayer,tokens,time_us\n\nx,1,2\nx,4,5\n,,\n",
        '"layer","tokens","time_us"\n"x","1","2e0"\n"x","4.0","5"\n',
        "tokens,note,time_us,layer\n4,,5,x\n1,cold,2,x\n",
        "layer,tokens,latency(ns)\nx,1,2000\nx,4,5000\n",
        "layer,tokens,min_us,mean_us\nx,1,0,2\nx,4,0,5\n",
    ],
    ids=["plain", "semicolons", "tabs", "windows", "trailing", "marks", "quotes", "order", "ns",
         "mean"],
)  # fmt: skip
def test_files_that_say_the_same(tmp_path, text):
    for file, data in (("a.csv", text.encode()), ("a.csv.gz", gzip.compress(text.encode()))):
        (tmp_path / file).write_bytes(data)
        curve = curve_of(read_columns(tmp_path / file), "x", "tokens")
        assert curve.keys.tolist() == [1, 4] and curve.values.tolist() == [2000, 5000]


def test_other_tables_take_other_units():
    rows = {"prefill_chunk": [0, 16], "kv_prefill": [0, 0], "n_decode": [1, 0],
            "kv_decode": [16, 0], "time_ms": [0.003, 0.005]}  # fmt: skip
    assert grid_from_rows(rows).values.max() == 5000
    experts = {"tokens": [1, 2], "activated_experts": [1, 1], "Latency(ns)": [7000, 9000]}
    assert experts_from_rows(experts).at(np.array([2.0]), np.array([1.0])) == [9000]


def test_phase_tables_grow_beyond_their_ends():
    layers = {"layer_name": ["embedding"], "input": [1], "latency(ns)": [10]}
    prefill = {"kv_cache_size": [0, 64], "prefill_chunk_size": [32, 32], "prediction": [100, 150]}
    decode = {"batch_size": [1, 2], "kv_cache_size": [64, 64], "prediction": [40, 60]}
    model = ModelShape("tiny", 1, 64, 4, 2, 16, 128, 1000)
    profile = profile_from_predictions(model, layers, prefill, decode)
    for n, length, spent in ((2, 64, 60), (4, 64, 120), (2, 128, 120), (8, 256, 960)):
        assert profile.step_ns(Batch((), (), (length,) * n)) == 10 + spent
    assert profile.step_ns(Batch((64,), (0,))) == 10 + 200
    assert profile.step_ns(Batch((32,), (128,))) == 10 + 300


def test_a_layer_that_another_table_holds_is_left_out():
    layers = {"layer_name": ["rope", "q_proj"], "input": [1, 1], "latency(ns)": [5, 7]}
    prefill = {"kv_cache_size": [0], "prefill_chunk_size": [32], "prediction": [100]}
    decode = {"batch_size": [1], "kv_cache_size": [64], "prediction": [40]}
    both, less = (
        profile_from_predictions(MODEL, layers, prefill, decode, leave_out=left)
        for left in ((), ("rope",))
    )
    assert both.step_ns(Batch((), (), (1,))) - less.step_ns(Batch((), (), (1,))) == 2 * 5
    with pytest.raises(ValueError, match="leave_out = 'ropes'"):
        profile_from_predictions(MODEL, layers, prefill, decode, leave_out=("ropes",))


def measured(model, tp, per_weight, link=None):
    """Return a profile of the first profiler's layers in which a product costs what it weighs."""
    sizes = weights_of(model, tp)
    rows = {"layer_name": [], "input": [], "latency(ns)": []}
    for name in (*FIRST_PROFILER["once"], *FIRST_PROFILER["block"], *FIRST_PROFILER["sequence"]):
        for tokens in (1, 2048):
            each = (name, tokens, 1000 + tokens + per_weight * sizes.get(name, 0))
            for column, value in zip(rows.values(), each, strict=True):
                column.append(value)
    prefill = {"kv_cache_size": [0], "prefill_chunk_size": [32], "prediction": [100]}
    decode = {"batch_size": [1], "kv_cache_size": [64], "prediction": [40]}
    return profile_from_predictions(model, rows, prefill, decode, tp=tp, link=link)


def test_a_borrowed_profile_prices_products_by_their_weights():
    link = Link(900)
    source = measured(LLAMA_70B, 4, 1e-3, link)
    again = borrowed_profile(source, LLAMA_70B, tp=4, link=link)
    batch = Batch((100,), (0,), (64,))
    assert again.step_ns(batch) == pytest.approx(source.step_ns(batch), rel=1e-3)
    other = borrowed_profile(source, QWEN3_32B, tp=4, link=link)
    block = dict(other.block)
    assert block["q_proj"].at([1])[0] == pytest.approx(1001 + 1e-3 * 5120 * 64 * 128 / 4, rel=1e-6)
    mixture = ModelShape("mixture", 32, 4096, 32, 8, 128, 14336, 32000, 8, 2)
    found = borrowed_profile(source, mixture, tp=4, ep=4, link=link)
    each = 3 * 1e-3 * 4096 * 14336 + 3 * 1001
    assert found.experts.at(np.array([1.0]), np.array([2.0]))[0] == pytest.approx(
        2 * each, rel=1e-3
    )
    with pytest.raises(ValueError, match="heads of keys"):
        borrowed_profile(source, LLAMA_8B, tp=1)
    with pytest.raises(ValueError, match="first profiler"):
        borrowed_profile(profile_from_operators(LLAMA_8B, DENSE, ATTENTION), LLAMA_8B)
