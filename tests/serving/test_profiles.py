"""Tables of measured latencies: between points, beyond them, filled, unequal lengths, experts."""

import gzip
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.serving import (
    LLAMA_8B,
    QWEN3_30B_A3B,
    QWEN3_32B,
    AttentionGrid,
    Batch,
    Curve,
    LatencyTable,
    Link,
    ModelShape,
    all_gather_ns,
    all_reduce_ns,
    fit_alpha,
    grid_from_rows,
    leave_one_out,
    linear_profile,
    profile_from_operators,
    profile_from_predictions,
    profile_from_tables,
    read_bundle,
    read_columns,
    reduce_scatter_ns,
    shape_from_config,
    skew_from_rows,
)
from quire.serving.profiles.bundles import curve_of
from quire.serving.profiles.costs import grid_ns
from quire.serving.profiles.experts import balanced_load

GRID = AttentionGrid(
    np.array([0.0, 16, 32]),
    np.array([0.0, 1, 2, 4]),
    np.array([0.0, 16]),
    np.array([0.0, 16, 32, 64]),
    1000 + np.arange(3 * 4 * 2 * 4).reshape(3, 4, 2, 4) ** 1.5,
)


def costs_of(grid, rounded=False):
    model = ModelShape("tiny", 2, 64, 4, 2, 16, 128, 1000)
    one = Curve(np.array([1.0, 4.0]), np.array([100.0, 130.0]))
    table = LatencyTable(model, {"embedding": one}, (("layernorm", one),), {"lm_head": one}, grid)
    return table.costs(64, 8, rounded=rounded)


def test_published_numbers_of_blocks():
    assert LLAMA_8B.kv_blocks(96, 0.9) == 36578
    assert LLAMA_8B.kv_blocks(24, 0.833919) == 2588
    assert QWEN3_32B.kv_blocks(96, 0.9, tp=2) == 28614
    assert QWEN3_30B_A3B.kv_blocks(96, 0.9, ep=2) == 38590
    with pytest.raises(ValueError, match="memory_gib = 10"):
        LLAMA_8B.kv_blocks(10, 0.9)


def test_shape_from_config():
    config = {
        "num_hidden_layers": 32,
        "hidden_size": 4096,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "intermediate_size": 14336,
        "vocab_size": 128256,
        "model_type": "llama",
    }
    assert shape_from_config(config, "Llama-3.1-8B") == LLAMA_8B
    with pytest.raises(ValueError, match="vocab_size"):
        shape_from_config({k: v for k, v in config.items() if k != "vocab_size"})


def test_curve_between_beyond_and_below():
    curve = Curve(np.array([2, 4]), np.array([10, 20]))
    assert curve.at([1, 2, 3, 4, 6]).tolist() == [10, 10, 15, 20, 30]
    assert Curve(np.array([3]), np.array([7.0])).at([1, 9]).tolist() == [7, 7]


@pytest.mark.parametrize("keys", [[1, 1], [2, 1], [-1, 2], [0, np.nan], [0, np.inf], []])
def test_axes_must_increase(keys):
    with pytest.raises(ValueError, match="keys"):
        Curve(np.array(keys, dtype=float), np.ones(len(keys)))


@given(st.integers(0, 2), st.integers(0, 3), st.integers(0, 1), st.integers(0, 3))
@settings(max_examples=30)
def test_grid_is_exact_on_its_points(c, n, p, d):
    costs = costs_of(GRID)
    at = grid_ns(costs, GRID.chunks[c], GRID.prefill_kv[p], GRID.decodes[n], GRID.decode_kv[d])
    assert at == pytest.approx(GRID.values[c, n, p, d], rel=1e-12)


@given(st.floats(0, 32), st.floats(0, 4), st.floats(0, 16), st.floats(0, 64))
@settings(max_examples=60)
def test_grid_stays_between_its_neighbours(c, n, p, d):
    found = grid_ns(costs_of(GRID), c, p, n, d)
    box = GRID.values
    for axis, (keys, q) in enumerate(
        zip((GRID.chunks, GRID.decodes, GRID.prefill_kv, GRID.decode_kv), (c, n, p, d), strict=True)
    ):
        low = min(np.searchsorted(keys, q, side="right") - 1, keys.size - 2)
        box = np.take(box, [low, low + 1], axis=axis)
    assert box.min() - 1e-9 <= found <= box.max() + 1e-9


def test_missing_points_lie_on_the_line_of_their_neighbours():
    full = [(0, 0, n, k, 1 + n * k / 100) for n in (1, 2) for k in (16, 32, 64)]
    rows = [row for row in full if row[2:4] != (2, 32) and row[2:4] != (2, 64)]
    rows.append((0, 0, 2, 48, 1 + 96 / 100))
    columns = ("prefill_chunk", "kv_prefill", "n_decode", "kv_decode", "time_us")
    grid = grid_from_rows({name: [row[i] for row in rows] for i, name in enumerate(columns)})
    at = {float(k): i for i, k in enumerate(grid.decode_kv)}
    values = grid.values[0, 1, 0] / 1e3
    assert values[at[32.0]] == pytest.approx(1.64)
    assert values[at[64.0]] == pytest.approx(2.28)
    with pytest.raises(ValueError, match="kv_decode"):
        grid_from_rows({"prefill_chunk": [0]})


def test_a_pair_without_points_takes_the_nearest_pair():
    rows = [(0, 0, 1, 16, 5.0), (16, 0, 0, 0, 7.0), (16, 0, 4, 16, 9.0)]
    columns = ("prefill_chunk", "kv_prefill", "n_decode", "kv_decode", "time_us")
    grid = grid_from_rows({name: [row[i] for row in rows] for i, name in enumerate(columns)})
    assert grid.values[1, 1, 0, 1] == 7000  # (16, 1): (16, 0) is nearer than (16, 4)
    assert grid.values[0, 2, 0, 1] == 5000


def test_leave_one_out_of_a_linear_table_is_zero_and_of_a_curve_is_not():
    n, k = GRID.decodes[None, :, None, None], GRID.decode_kv[None, None, None, :]
    linear = AttentionGrid(*vars(GRID).values()).__class__(
        GRID.chunks,
        GRID.decodes,
        GRID.prefill_kv,
        GRID.decode_kv,
        np.broadcast_to(5 + 2 * n + 3 * k, GRID.values.shape).copy(),
    )
    assert np.abs(leave_one_out(linear, 3)).max() < 1e-12
    assert np.abs(leave_one_out(GRID, 3)).max() > 1e-4
    with pytest.raises(ValueError, match="axis = 2"):
        leave_one_out(GRID, 2)
    with pytest.raises(ValueError, match="axis = 7"):
        leave_one_out(GRID, 7)


AXES = {
    "n_bins": [0, 2, 100],
    "n_labels": ["n<=2", "n>2"],
    "skew_rate_bins": [-0.01, 0.5, 1.01],
    "skew_rate_labels": ["low", "high"],
    "kv_big_bins": [0, 64, 1000],
    "kv_big_labels": ["short", "long"],
    "kp_bins": [-1, 0, 1000],
    "kp_labels": ["kp=0", "kp>0"],
}
SKEW = {
    "pc": [0],
    "n_label": ["n<=2"],
    "skew_rate_label": ["low"],
    "kv_big_label": ["short"],
    "kp_label": ["kp=0"],
    "alpha": [0.5],
}


def test_unequal_lengths_cost_more_by_alpha():
    profile = linear_profile(LLAMA_8B, 1.0, 1.0, 100)
    skewed = LatencyTable(
        LLAMA_8B, profile.once, (), {}, profile.attention, skew=skew_from_rows(SKEW, AXES, 0.1)
    )
    even = profile.step_ns(Batch(lengths=(40, 40)))
    assert even == pytest.approx(1e6 * (1 + 0.8))
    mixed = skewed.step_ns(Batch(lengths=(20, 60)))  # mean 40, longest 60, rate 0.5: "low"
    assert mixed == pytest.approx(even + 0.5 * 2 * 20 * 1e4)
    long = skewed.step_ns(Batch(lengths=(20, 65)))  # another bin: the default
    assert long == pytest.approx(1e6 + 2 * 1e4 * (42 + 0.1 * 23))
    assert skewed.step_ns(Batch(lengths=(20, 60)), skew=False) == pytest.approx(even)
    with pytest.raises(ValueError, match="skew = True"):
        profile.step_ns(Batch(lengths=(1,)), skew=True)
    with pytest.raises(ValueError, match="n_label = 'n=9'"):
        skew_from_rows({**SKEW, "n_label": ["n=9"]}, AXES, 0.1)
    with pytest.raises(ValueError, match="kp_bins"):
        skew_from_rows(SKEW, {k: v for k, v in AXES.items() if k != "kp_bins"}, 0.1)


def test_fit_of_alpha():
    mean, longest = np.array([10.0, 20.0]), np.array([14.0, 30.0])
    assert fit_alpha(mean, longest, mean + 0.3 * (longest - mean)) == pytest.approx(0.3)
    with pytest.raises(ValueError, match="longest_us"):
        fit_alpha(mean, mean, mean)


def test_balanced_gate_by_hand():
    tokens, active = balanced_load(np.array([1.0, 4.0, 100.0]), 128, 8, 2)
    assert active.tolist() == [4, 16, 64]  # 8 pairs over two devices, until all 64 are awake
    assert tokens.tolist() == [1, 4, 100]  # 1 - 2^-8 of them, rounded


def test_collectives_by_hand():
    link = Link(1.0, 1000.0)  # 2^30 bytes a second
    size = 2**30
    assert all_reduce_ns(size, 2, link) == pytest.approx(2 * (1000 + 0.5e9))
    assert reduce_scatter_ns(size, 4, link) == pytest.approx(3 * (1000 + 0.25e9))
    assert all_gather_ns(size, 4, link) == pytest.approx(3 * (1000 + 1e9))
    assert all_reduce_ns(size, 1, link) == 0
    for bad in (0, -1, np.nan, np.inf):
        with pytest.raises(ValueError, match="gib_per_s"):
            Link(bad)
    with pytest.raises(ValueError, match="size"):
        all_reduce_ns(-1, 2, link)


LAYERS = ("embedding", "final_layernorm", "layernorm", "qkv_proj", "rotary_emb", "o_proj",
          "gate_up_proj", "act_fn", "down_proj")  # fmt: skip


def bundle(folder, tp=1, scale=1.0):
    place = folder / f"tp{tp}"
    place.mkdir(parents=True)
    rows = [f"{name},{t},{scale * (1 + t / 10)}" for name in LAYERS for t in (1, 8)]
    (place / "dense.csv").write_text("\n".join(["layer,tokens,time_us", *rows]))
    rows = [f"{name},{s},2.0" for name in ("lm_head", "sampler") for s in (1, 4)]
    (place / "per_sequence.csv").write_text("\n".join(["layer,sequences,time_us", *rows]))
    text = "prefill_chunk,kv_prefill,n_decode,kv_decode,time_us\n0,0,1,16,3.0\n16,0,0,0,5.0\n"
    (place / "attention.csv.gz").write_bytes(gzip.compress(text.encode()))


def test_a_bundle_read_and_summed_by_hand(tmp_path):
    bundle(tmp_path)
    model = ModelShape("tiny", 2, 64, 4, 2, 16, 128, 1000)
    profile = read_bundle(tmp_path, model)
    layer = 1 + 1 / 10  # one token, each of two once and eight in a block
    by_hand = 2 * layer + 2 * (8 * layer + 3.0) + 2 * 2.0
    assert profile.step_ns(Batch(lengths=(16,))) == pytest.approx(1e3 * by_hand)
    with pytest.raises(KeyError, match="has tables for 1"):
        read_bundle(tmp_path, model, tp=4, link=Link(1.0))
    (tmp_path / "tp1" / "dense.csv").unlink()
    with pytest.raises(ValueError, match=r"dense\.csv"):
        read_bundle(tmp_path, model)


def test_layers_that_nobody_shares_come_from_one_device(tmp_path):
    bundle(tmp_path, 1)
    bundle(tmp_path, 2, scale=0.5)
    model = ModelShape("tiny", 2, 64, 4, 2, 16, 128, 1000)
    two = read_bundle(tmp_path, model, tp=2, link=Link(1e9))
    layer = 1.1
    by_hand = (0.5 + 1) * layer + 2 * ((2 + 6 * 0.5) * layer + 3.0) + 4.0
    assert two.step_ns(Batch(lengths=(16,))) == pytest.approx(1e3 * by_hand, rel=1e-6)
    with pytest.raises(ValueError, match="link = None"):
        read_bundle(tmp_path, model, tp=2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n", "at least one row"),
        ("a,b\n1\n", "row 2 has 1 cells"),
        ("a,b\n1,nan\n", "not finite"),
        ("a,a\n1,2\n", "two columns are called 'a'"),
        ("a,b\n1," + "9" * 200_000 + "\n", "UTF-8"),
    ],
)
def test_broken_tables_are_told(tmp_path, text, said):
    file = tmp_path / "table.csv"
    file.write_text(text)
    with pytest.raises(ValueError, match=said):
        read_columns(file)
    broken = tmp_path / "table.csv.gz"
    broken.write_bytes(b"no gzip")
    with pytest.raises(ValueError, match="UTF-8"):
        read_columns(broken)


DENSE = {
    "layer": ["layernorm", "qkv_proj", "o_proj", "gate_up_proj", "act_fn", "down_proj", "lm_head"],
    "tokens": [1] * 7,
    "median_us": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 70.0],
}
ATTENTION = {
    "phase": ["prefill", "prefill", "decode", "decode"],
    "chunk": [16, 32, 0, 0],
    "kv_prefill": [0, 0, 0, 0],
    "n_decode": [0, 0, 1, 2],
    "kv_decode": [0, 0, 64, 64],
    "median_us": [10.0, 20.0, 1.0, 3.0],
}


def test_operators_summed_by_hand():
    model = ModelShape("tiny", 2, 64, 4, 2, 16, 128, 1000)
    profile = profile_from_operators(model, DENSE, ATTENTION)
    block = 1 + 2 + 3 + 1 + 4 + 5 + 6
    decode = 1 + 2 * (block + 3.0) + 70
    assert profile.step_ns(Batch(lengths=(64, 64))) == pytest.approx(1e3 * decode)
    mixed = 1 + 2 * (block + 20.0 + 1.0) + 70
    assert profile.step_ns(Batch((32,), (0,), (64,))) == pytest.approx(1e3 * mixed)
    with pytest.raises(ValueError, match="phase = 'splits'"):
        profile_from_operators(model, DENSE, ATTENTION, decode_phase="splits")
    with pytest.raises(ValueError, match="layer = 'qkv_proj'"):
        less = {k: v[:1] + v[2:] for k, v in DENSE.items()}
        profile_from_operators(model, less, ATTENTION)


def test_predictions_round_lengths_up():
    model = ModelShape("tiny", 1, 64, 4, 2, 16, 128, 1000)
    layers = {"layer_name": ["embedding", "lm_head"], "input": [1, 1], "latency(ns)": [10, 20]}
    prefill = {"kv_cache_size": [0, 0], "prefill_chunk_size": [32, 64], "prediction": [100, 200]}
    decode = {"batch_size": [1, 1, 2], "kv_cache_size": [0, 64, 64], "prediction": [7, 8, 9]}
    profile = profile_from_predictions(model, layers, prefill, decode)
    assert profile.step_ns(Batch(lengths=(63,))) == 10 + 20 + 8
    assert profile.step_ns(Batch((33,), (0,))) == 10 + 20 + 200
    # 24 and 24 tokens count as one chunk of 34, rounded up to 64
    assert profile.step_ns(Batch((24, 24), (0, 0))) == 10 + 20 + 200
    with pytest.raises(ValueError, match="prefill has no column"):
        profile_from_predictions(model, layers, {}, decode)


def test_a_mixture_needs_its_experts():
    with pytest.raises(ValueError, match="experts = None"):
        profile_from_tables(QWEN3_30B_A3B, {}, {}, {})
    with pytest.raises(ValueError, match="experts_per_token"):
        ModelShape("m", 1, 1, 1, 1, 1, 1, 1, experts=4)


@pytest.mark.parametrize(
    "fields", [{"chunks": (0,), "before": (0,)}, {"chunks": (3,)}, {}, {"lengths": (-1,)}]
)
def test_a_batch_computes_something(fields):
    with pytest.raises(ValueError, match=r"chunks|before|lengths"):
        Batch(**fields)


def test_linear_profile_is_its_formula():
    profile = linear_profile(LLAMA_8B, 8.0, 0.65, 8192)
    for n, k in ((1, 100), (7, 8192), (300, 1234)):
        spent = profile.step_ns(Batch(lengths=(k,) * n))
        assert spent == pytest.approx(1e6 * (8.0 + 0.65 * n * k / 8192), rel=1e-9)


def test_below_the_least_measured_count_a_kernel_costs_what_it_does_there():
    model = ModelShape("tiny", 2, 64, 4, 2, 16, 128, 1000)
    few = {**ATTENTION, "n_decode": [0, 0, 8, 16], "median_us": [10.0, 20.0, 8.0, 16.0]}
    profile = profile_from_operators(model, DENSE, few)
    rest = 1 + 2 * (1 + 2 + 3 + 1 + 4 + 5 + 6) + 70
    for n, each in ((1, 8.0), (8, 8.0), (12, 12.0), (24, 24.0)):
        spent = profile.step_ns(Batch(lengths=(64,) * n))
        assert spent == pytest.approx(1e3 * (rest + 2 * each))
    assert profile.step_ns(Batch((4,), (0,))) == pytest.approx(1e3 * (rest + 2 * 10.0))


def test_prompts_measured_one_by_one_are_priced_one_by_one():
    model = ModelShape("tiny", 2, 64, 4, 2, 16, 128, 1000)
    table = {**ATTENTION, "median_us": [10.0, 40.0, 1.0, 3.0]}  # 32 tokens cost four times 16
    profile = profile_from_operators(model, DENSE, table)
    rest = 1 + 2 * (1 + 2 + 3 + 1 + 4 + 5 + 6) + 70
    two = profile.step_ns(Batch((16, 16), (0, 0), (64,)))
    assert two == pytest.approx(1e3 * (rest + 2 * (10.0 + 10.0 + 1.0)))
    assert profile.step_ns(Batch((32,), (0,))) == pytest.approx(1e3 * (rest + 2 * 40.0))


@pytest.mark.parametrize(("time", "factor"), [("t_ns", 1e3), ("t_ms", 1e-3), ("t_s", 1e-6)])
def test_times_are_in_the_unit_that_their_column_names(time, factor):
    model = ModelShape("tiny", 2, 64, 4, 2, 16, 128, 1000)
    tables = [
        {**{k: v for k, v in table.items() if k != "median_us"},
         time: [factor * v for v in table["median_us"]]}
        for table in (DENSE, ATTENTION)
    ]  # fmt: skip
    batch = Batch((16,), (0,), (64, 64))
    found = profile_from_operators(model, *tables, time=time).step_ns(batch)
    assert found == pytest.approx(profile_from_operators(model, DENSE, ATTENTION).step_ns(batch))


def test_order_of_rows_does_not_matter():
    model = ModelShape("tiny", 2, 64, 4, 2, 16, 128, 1000)
    back = [{k: v[::-1] for k, v in table.items()} for table in (DENSE, ATTENTION)]
    batch = Batch((16,), (0,), (64, 64))
    found = profile_from_operators(model, *back).step_ns(batch)
    assert found == profile_from_operators(model, DENSE, ATTENTION).step_ns(batch)


ROWS = {"prefill_chunk": [0, 16], "kv_prefill": [0, 0], "n_decode": [1, 0], "kv_decode": [16, 0],
        "time_us": [3.0, 5.0]}  # fmt: skip
MODEL = ModelShape("tiny", 1, 64, 4, 2, 16, 128, 1000)
LAYERS_V0 = {"layer_name": ["embedding"], "input": [1], "latency(ns)": [10]}
PREFILL_V0 = {"kv_cache_size": [0], "prefill_chunk_size": [32], "prediction": [100]}
DECODE_V0 = {"batch_size": [1], "kv_cache_size": [64], "prediction": [7]}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: profile_from_operators(MODEL, {**DENSE, "tokens": [1] * 6}, ATTENTION), "lengths"),
        (lambda: profile_from_operators(MODEL, DENSE, {**ATTENTION, "phase": ["decode"]}), "phase"),
        (lambda: curve_of({"layer": ["x"], "tokens": [1], "time_us": [-5]}, "x", "tokens"), "-5"),
        (lambda: curve_of({"layer": ["x"], "tokens": [1], "time_us": [""]}, "x", "tokens"), "real"),
        (lambda: curve_of({"layer": ["x"], "tokens": [1, 2], "time_us": [1]}, "x", "tokens"), "1"),
        (lambda: grid_from_rows({name: np.arange(400.0) for name in ROWS}), "stand on a grid"),
        (lambda: profile_from_predictions(
            MODEL, LAYERS_V0, {**PREFILL_V0, "kv_cache_size": [-64]}, DECODE_V0), "-64"),
        (lambda: profile_from_predictions(
            MODEL, LAYERS_V0, PREFILL_V0, {**DECODE_V0, "prediction": [np.nan]}), "prediction"),
        (lambda: profile_from_predictions(
            MODEL, LAYERS_V0, PREFILL_V0, {**DECODE_V0, "kv_cache_size": [1e13]}), "too wide"),
        (lambda: replace(linear_profile(MODEL, 1.0, 1.0), residual_ns=(np.nan, 0.0)), "residual"),
    ],
)  # fmt: skip
def test_mangled_tables_are_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_a_mark_of_byte_order_is_no_part_of_a_name(tmp_path):
    file = tmp_path / "table.csv"
    file.write_bytes(b"\xef\xbb\xbflayer,tokens\nx,1\n")
    assert list(read_columns(file)) == ["layer", "tokens"]


def test_heads_of_keys_are_copied_where_devices_are_more():
    assert LLAMA_8B.kv_bytes_per_token(8) == LLAMA_8B.kv_bytes_per_token(16)
    assert LLAMA_8B.kv_bytes_per_token(2) == LLAMA_8B.kv_bytes_per_token() // 2
