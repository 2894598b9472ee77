import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from quire.sketching import MessageCase, block, key_of, threefry2x32
from quire.sketching.messages import omega

ALL = ["gaussian", "rademacher", "uniform", "uniform01"]


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [  # Random123, kat_vectors, threefry2x32 with 20 rounds
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0x1CB996FC, 0xBB002BE7)),
        ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_known_answers(counter, key, expected):
    high, low = (np.array([word], np.uint32) for word in counter)
    x, y = threefry2x32(jnp.array(key, jnp.uint32), jnp.asarray(high), jnp.asarray(low))
    assert (int(x[0]), int(y[0])) == expected


def test_threefry_equals_jax_own():
    from jax.extend.random import threefry_2x32

    counter = jnp.arange(64, dtype=jnp.uint32)
    key = jnp.array([3, 9], jnp.uint32)
    x, y = threefry2x32(key, counter[:32], counter[32:])
    assert jnp.array_equal(jnp.concatenate([x, y]), threefry_2x32(key, counter))


@given(
    st.integers(0, 190), st.integers(0, 40), st.integers(0, 1), st.sampled_from(ALL),
    st.sampled_from([np.float32, np.float64]),
)  # fmt: skip
@settings(max_examples=40)
def test_a_block_is_a_slice_of_the_whole(i, j, shape, distribution, dtype):
    rows, columns = [(7, 5), (65, 3)][shape]  # few shapes: each one compiles
    kind = {"distribution": distribution, "dtype": dtype}
    whole = np.asarray(block(5, 256, 48, **kind))
    part = np.asarray(block(5, rows, columns, row_start=i, column_start=j, **kind))
    np.testing.assert_array_equal(part, whole[i : i + rows, j : j + columns])


@pytest.mark.parametrize("distribution", ALL)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_traced_start_gives_the_same_block(distribution, dtype):
    def generate(start, multiple=1):
        return block(
            5, 64, 8, row_start=start, column_start=start // 64, distribution=distribution,
            dtype=dtype, row_multiple=multiple,
        )  # fmt: skip

    traced = jax.jit(generate, static_argnums=1)
    np.testing.assert_array_equal(traced(jnp.int32(64), 1), generate(64))
    np.testing.assert_array_equal(traced(jnp.int32(64), 64), generate(64))
    np.testing.assert_array_equal(traced(jnp.int32(67), 1), generate(67))


@pytest.mark.parametrize("distribution", ALL)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_moments_and_distribution(distribution, dtype):
    x = np.asarray(block(11, 512, 256, distribution=distribution, dtype=dtype), np.float64)
    mean, variance = (0.5, 1 / 12) if distribution == "uniform01" else (0.0, 1.0)
    n = x.size
    assert abs(x.mean() - mean) < 5 * np.sqrt(variance / n)
    fourth = {"gaussian": 2.0, "rademacher": 0.0, "uniform": 0.8, "uniform01": 0.8 / 144}
    assert abs(((x - mean) ** 2).mean() - variance) < 5 * np.sqrt(fourth[distribution] / n) + 1e-3
    if distribution == "rademacher":
        assert set(np.unique(x)) == {-1.0, 1.0}
        # neighbouring rows share a draw: their signs must not
        assert abs((x[1:] * x[:-1]).mean()) < 5 / np.sqrt(n)
        return
    law = {
        "gaussian": stats.norm(),
        "uniform": stats.uniform(-np.sqrt(3), 2 * np.sqrt(3)),
        "uniform01": stats.uniform(),
    }[distribution]
    assert stats.kstest(x.ravel(), law.cdf).pvalue > 1e-4
    assert abs(np.corrcoef(x[:-1].ravel(), x[1:].ravel())[0, 1]) < 5 / np.sqrt(n)


def test_uniform01_stays_below_one():
    for dtype in (np.float32, np.float64):
        x = np.asarray(block(3, 512, 256, distribution="uniform01", dtype=dtype))
        assert x.min() >= 0
        assert x.max() < 1


def test_the_flat_index_may_pass_two_to_the_32():
    r = 1 << 12
    row, column = 1 << 20, 17  # row * r + column = 2^32 + 17
    beyond = float(block(1, 1, 1, row_start=row, column_start=column)[0, 0])
    assert row * r + column == 2**32 + 17
    assert beyond != float(block(1, 1, 1, column_start=17)[0, 0])
    last = block(1, 2, 2, row_start=2**32 - 2, column_start=2**32 - 2)
    assert len(np.unique(np.asarray(last))) == 4


def test_more_columns_extend_the_matrix():
    np.testing.assert_array_equal(block(2, 64, 8), np.asarray(block(2, 64, 24))[:, :8])


def test_signs_do_not_depend_on_the_dtype():
    single = block(9, 64, 8, distribution="rademacher", dtype=np.float32)
    double = block(9, 64, 8, distribution="rademacher")
    np.testing.assert_array_equal(np.asarray(single), np.asarray(double))


def test_seeds_differ_in_both_words():
    seeds = [0, 1, 2**32, 2**63, 2**64 - 1]
    first = {float(block(seed, 1, 1)[0, 0]) for seed in seeds}
    assert len(first) == len(seeds)
    assert key_of(2**32 + 5).tolist() == [1, 5]


def test_the_numpy_implementation_of_the_mpi_ranks_agrees():
    case = MessageCase("sketch", 8, 96, 24, 1, seed=77)
    got = omega(case, slice(32, 96), slice(8, 16))
    np.testing.assert_allclose(
        got, block(77, 64, 8, row_start=32, column_start=8), rtol=1e-10, atol=1e-13
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed = "),
        ({"seed": 2**64}, "seed = "),
        ({"seed": True}, "seed = "),
        ({"rows": 0}, "rows = 0"),
        ({"columns": -1}, "columns = -1"),
        ({"dtype": np.int32}, "dtype = "),
        ({"dtype": np.float16}, "dtype = "),
        ({"row_start": -1}, "row_start = -1"),
        ({"column_start": 2**32}, "column_start = "),
        ({"row_multiple": 0}, "row_multiple = 0"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        block(**({"seed": 0, "rows": 2, "columns": 2} | arguments))


def test_a_seed_or_distribution_of_the_wrong_type_is_refused():
    with pytest.raises(Exception, match="seed"):
        block("one", 2, 2)
    with pytest.raises(Exception, match="distribution"):
        block(1, 2, 2, distribution="cauchy")
