import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.isa import DIALECTS, Launch, RunOptions, assemble, kernels
from quire.isa.costs.bank_conflicts import conflict_degree, multiplicity, transactions
from quire.isa.costs.model import Constants, calibrate_common, predict, throughput_ratio
from quire.isa.costs.profiles import profile

OPTIONS = RunOptions(lanes=1024)
EVERY = np.ones((1, 32), bool)


def wave(*addresses):
    return np.array([addresses], np.uint32)


def test_bank_conflicts_by_hand():
    lanes = np.arange(32)
    assert conflict_degree(wave(*(4 * lanes)), EVERY)[0] == 1
    assert conflict_degree(wave(*(0 * lanes)), EVERY)[0] == 1  # broadcast
    assert conflict_degree(wave(*(8 * lanes)), EVERY)[0] == 2
    assert conflict_degree(wave(*(128 * lanes)), EVERY)[0] == 32
    assert conflict_degree(wave(*(132 * lanes)), EVERY)[0] == 1  # a padded column
    assert conflict_degree(wave(*(128 * lanes)), ~EVERY)[0] == 0
    assert conflict_degree(wave(*(4 * lanes)), EVERY, banks=16)[0] == 2


@given(seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=30)
def test_the_conflict_degree_is_the_most_crowded_bank(seed):
    generator = np.random.default_rng(seed)
    addresses = generator.integers(0, 64, (1, 32)).astype(np.uint32) * 4
    active = generator.random((1, 32)) < 0.7
    words = {int(a) // 4 for a in addresses[active]}
    wanted = max(sum(w % 32 == bank for w in words) for bank in range(32))
    assert conflict_degree(addresses, active)[0] == wanted


def test_transactions_and_multiplicity():
    lanes = np.arange(32)
    assert transactions(wave(*(4 * lanes)), EVERY, 4)[0] == 4
    assert transactions(wave(*(4 * lanes)), EVERY, 4, line=128)[0] == 1
    assert transactions(wave(*(64 * lanes)), EVERY, 4)[0] == 32
    assert transactions(wave(*(28 + 0 * lanes)), EVERY, 8)[0] == 2
    assert multiplicity(wave(*(4 * (lanes // 8))), EVERY)[0] == 8


@pytest.fixture(scope="module")
def reductions():
    launch = Launch((4, 1, 1), (256, 1, 1), 32)
    memory = np.arange(4096, dtype=np.uint32)
    return launch, [
        profile(assemble(text).kernel(), launch, memory, options=OPTIONS)
        for text in (kernels.reduce_shuffle(8192), kernels.reduce_local(8192))
    ]


def test_profiles_count_what_the_reference_counts(reductions):
    _, (shuffle, local) = reductions
    assert (shuffle.events.instructions, local.events.instructions) == (2624, 4768)
    assert (shuffle.barriers, local.barriers) == (1, 10)
    assert throughput_ratio(shuffle, local) == pytest.approx(0.550, abs=5e-4)
    assert shuffle.shuffles == 5 and local.shuffles == 0
    assert local.bytes == 1024 + 32
    assert local.worst_conflict == 1


def test_prediction_adds_up_and_calibration_reaches_its_target(reductions):
    launch, (shuffle, local) = reductions
    nvidia = DIALECTS["nvidia"]
    times = [predict(p, nvidia, launch, 20, 1024, 4096) for p in (shuffle, local)]
    assert times[0].total < times[1].total
    now = times[0].total / times[1].total
    constants = calibrate_common(*times, 0.8, nvidia, 4096)
    after = [predict(p, nvidia, launch, 20, 1024, 4096, constants).total for p in (shuffle, local)]
    assert after[0] / after[1] == pytest.approx(0.8)
    with pytest.raises(ValueError, match="no common cost"):
        calibrate_common(*times, now / 2, nvidia, 4096)
    slower = predict(local, nvidia, launch, 20, 1024, 4096, Constants(level=100.0))
    assert slower.barrier > times[1].barrier and slower.bound in ("issue", "latency")


@pytest.mark.parametrize(
    ("tile", "padded", "transposed", "worst"),
    [
        *((32, False, False, 1), (32, True, False, 1), (32, False, True, 32), (32, True, True, 1)),
        # a wave of 32 lanes covers two rows of 16 words: padded, they overlap in one bank
        *((16, False, False, 1), (16, True, False, 2), (16, False, True, 8)),
    ],
)
def test_padding_saves_columns_and_costs_rows(tile, padded, transposed, worst):
    kernel = assemble(kernels.gemm(tile, tile, padded, transposed)).kernel()
    memory = np.zeros(3 * tile * tile, np.uint32)
    launch = Launch((1, 1, 1), (tile, tile, 1), 32)
    assert profile(kernel, launch, memory, options=OPTIONS).worst_conflict == worst
