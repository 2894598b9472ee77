"""Mooncake's reader, the index of prefixes, and a store that forgets."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.serving import PrefixIndex, PrefixTrace, Trace, prefix_hits, read_mooncake
from quire.workbook import datasets

ROWS = [
    {"timestamp": 0, "input_length": 1200, "output_length": 5, "hash_ids": [0, 1, 2]},
    {"timestamp": 0, "input_length": 1024, "output_length": 1, "hash_ids": [0, 1]},
    {"timestamp": 7, "input_length": 1500, "output_length": 9, "hash_ids": [0, 1, 5]},
]


def written(path, rows):
    text = "\n".join(json.dumps(row) for row in rows)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def test_rows_come_back(tmp_path):
    plain = read_mooncake(written(tmp_path / "t.jsonl", ROWS))
    packed = tmp_path / "t.jsonl.gz"
    packed.write_bytes(gzip.compress((tmp_path / "t.jsonl").read_bytes()))
    for trace in (plain, read_mooncake(packed)):
        assert trace.arrival_s.tolist() == [0, 0, 0.007] and len(trace) == 3
        assert trace.n_in.tolist() == [1200, 1024, 1500] and trace.n_out.tolist() == [5, 1, 9]
        assert trace.blocks_of(2).tolist() == [0, 1, 5]
    assert plain.hit_blocks().tolist() == [0, 2, 2]
    assert plain.hit_tokens().tolist() == [0, 1023, 1024]  # the last token is always computed
    assert plain.hit_blocks(0).tolist() == [0, 0, 0]
    assert plain.hit_blocks(1).tolist() == [0, 1, 1]  # the first block was used last


def test_an_engine_gets_blocks_of_sixteen(tmp_path):
    trace = read_mooncake(written(tmp_path / "t.jsonl", ROWS)).for_engine()
    assert np.diff(trace.block_start).tolist() == [75, 64, 93]
    first, third = trace.blocks[:75], trace.blocks[-93:]
    assert (first[:64] == third[:64]).all() and not set(first[64:]) & set(third[64:])
    assert trace.unnamed() == 0


def test_selection_and_time(tmp_path):
    trace = read_mooncake(written(tmp_path / "t.jsonl", ROWS))
    assert len(trace.first(2)) == 2 and trace.select([2]).n_in.tolist() == [1500]
    assert trace.faster(7).arrival_s[-1] == pytest.approx(0.001)
    again = trace.poisson(5.0, 3)
    assert (np.diff(again.arrival_s) > 0).all() and (again.n_in == trace.n_in).all()
    assert (again.arrival_s == trace.poisson(5.0, 3).arrival_s).all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"timestamp": -1}, "line 3 is no request .timestamp = -1"),
        ({"timestamp": "x"}, "timestamp = 'x'"),
        ({"timestamp": float("nan")}, "timestamp = nan"),
        ({"input_length": 0}, "input_length = 0"),
        ({"input_length": 1.5}, "input_length = 1.5"),
        ({"output_length": True}, "output_length = True"),
        ({"input_length": 2000}, "request 2 of 2000 tokens has 3 names, must have 4"),
        ({"hash_ids": [0, 2, 1]}, "follows two different names"),
        ({"hash_ids": [0, 1, -5]}, "hash_ids must be"),
        ({"hash_ids": "012"}, "hash_ids must be"),
        ({"hash_ids": [0, 1, 2**80]}, "t.jsonl"),
    ],
)
def test_bad_lines_are_named(tmp_path, change, says):
    with pytest.raises(ValueError, match=says):
        read_mooncake(written(tmp_path / "t.jsonl", [*ROWS[:2], ROWS[2] | change]))


def test_bad_files_are_named(tmp_path):
    with pytest.raises(ValueError, match="line 3: timestamp 0 is before 7"):
        read_mooncake(written(tmp_path / "t.jsonl", [ROWS[0], ROWS[2], ROWS[1]]))
    with pytest.raises(ValueError, match="line 1 has no hash_ids"):
        read_mooncake(written(tmp_path / "t.jsonl", [{k: ROWS[0][k] for k in list(ROWS[0])[:3]}]))
    with pytest.raises(ValueError, match="holds no request"):
        read_mooncake(written(tmp_path / "t.jsonl", []))
    (tmp_path / "u.jsonl").write_text("[1, 2\n")
    with pytest.raises(ValueError, match="line 1 is no request"):
        read_mooncake(tmp_path / "u.jsonl")
    (tmp_path / "v.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(ValueError, match=r"v\.jsonl\.gz: cannot be read"):
        read_mooncake(tmp_path / "v.jsonl.gz")


def test_blocks_must_be_prefixes():
    with pytest.raises(ValueError, match="has 0 names, must have 1"):
        PrefixTrace(Trace(*(np.asarray([k]) for k in (0, 10, 1))))
    with pytest.raises(ValueError, match="multiple of 16"):
        PrefixTrace(Trace(*map(np.asarray, ([0], [10], [1], [0, 1], [0]))), 20).for_engine()


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.integers(0, 12), max_size=6, unique=True), min_size=1, max_size=25),
    st.one_of(st.none(), st.integers(0, 14)),
)
def test_compiled_hits_are_the_index(requests, capacity):
    index = PrefixIndex(capacity)
    wanted = []
    for blocks in requests:
        wanted.append(index.match(blocks))
        lost = index.insert(blocks)
        assert not any(block in index for block in lost)
        assert capacity is None or len(index) <= capacity
    start = np.concatenate([[0], np.cumsum([len(each) for each in requests])])
    names = np.asarray([b for each in requests for b in each], np.int64)
    assert prefix_hits(start, names, capacity).tolist() == wanted


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.integers(0, 9), max_size=5, unique=True), min_size=1, max_size=20),
    st.integers(0, 8), st.sampled_from(["fifo", "farthest"]),
)  # fmt: skip
def test_other_rules_of_loss_are_their_definition(requests, capacity, rule):
    kept, wanted = [], []

    def ahead(block, r):
        after = [(s, names.index(block)) for s, names in enumerate(requests) if block in names]
        return min((each for each in after if each[0] > r), default=(10**6, 10**6))

    for r, blocks in enumerate(requests):
        count = 0
        while count < len(blocks) and blocks[count] in kept:
            count += 1
        wanted.append(count)
        kept += [b for b in reversed(blocks) if b not in kept]
        while len(kept) > capacity:
            if rule == "fifo":
                kept.pop(0)
            else:  # those that nobody names again all have the same claim to stay: none
                worst = max(kept, key=lambda b: (ahead(b, r), -b))
                kept.remove(worst)
    start = np.concatenate([[0], np.cumsum([len(each) for each in requests])])
    names = np.asarray([b for each in requests for b in each], np.int64)
    assert prefix_hits(start, names, capacity, rule).tolist() == wanted
    with pytest.raises(ValueError, match="eviction = 'random'"):
        prefix_hits(start, names, capacity, "random")


@pytest.mark.parametrize("start", [[0], [0, 2], [0, 2, 1], [1, 1], [[0, 1]], [0.0, 1.0]])
def test_starts_are_checked(start):
    with pytest.raises(ValueError, match="block_start"):
        prefix_hits(np.asarray(start), np.asarray([4]))
    with pytest.raises(ValueError, match="capacity = -1"):
        prefix_hits(np.asarray([0, 1]), np.asarray([4]), -1)
    with pytest.raises(ValueError, match="blocks"):
        prefix_hits(np.asarray([0, 1]), np.asarray([0.5]))


@pytest.mark.parametrize(
    ("name", "count", "hits", "tokens", "names"),
    [("conversation", 12031, 54098293, 144793823, 182790),
     ("synthetic", 3993, 39852448, 61194628, 43924)],
)  # fmt: skip
def test_published_traces(name, count, hits, tokens, names):
    dataset = f"11/mooncake_{name}_trace.jsonl.gz"
    if not datasets.available(dataset):
        pytest.skip(f"needs {dataset}")
    trace = read_mooncake(datasets.path(dataset))
    assert len(trace) == count and trace.n_in.sum() == tokens
    assert trace.hit_tokens().sum() == hits and np.unique(trace.requests.blocks).size == names
    small, large = trace.hit_blocks(5_000), trace.hit_blocks(20_000)
    assert (small <= large).all() and (large <= trace.hit_blocks()).all()
    assert 0 < small.sum() < large.sum() < trace.hit_blocks().sum()


def test_names_of_64_bits_stay_different_blocks() -> None:
    names = np.array([2**60, 0, 2**61 + 5, 7])
    trace = Trace(*map(np.asarray, ([0, 1], [1024, 1024], [1, 1], [0, 2, 4], names)))
    fine = PrefixTrace(trace, 512).for_engine().named[1]
    assert np.unique(fine).size == fine.size == 4 * 32
