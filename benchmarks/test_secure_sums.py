"""Secure sums against the plain sum, pairwise masks and MPyC; and the speed of the proofs."""

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from quire.secure_sums import (
    OBJECTIVES,
    FixedPoint,
    certify,
    deal,
    everyone_wants_everything,
    leakage,
    mpyc_sum,
    prove_converse,
    run_mesh,
    secure_sum,
    zero_sum_protocol,
)

USERS, LENGTH = 4, 1_000_000


@pytest.mark.parametrize("q", [2, 3])
def test_all_coalitions_of_twelve_users(benchmark: BenchmarkFixture, q: int) -> None:
    protocol = zero_sum_protocol(12, q)
    report = benchmark(leakage, protocol, range(10))
    assert len(report.symbols) == 24_432 and report.worst.symbols == 0


@pytest.mark.parametrize("users", [3, 4, 5])
def test_exact_proofs_of_the_converse(benchmark: BenchmarkFixture, users: int) -> None:
    def prove() -> list[object]:
        problem = everyone_wants_everything(users, [0])
        return [prove_converse(problem, goal).bound for goal in OBJECTIVES]

    assert benchmark.pedantic(prove, rounds=1) == [1, 1, users - 1]


@pytest.mark.parametrize("masks", ["none", "dealt", "pairwise"])
def test_a_sum_between_processes(benchmark: BenchmarkFixture, masks: str) -> None:
    benchmark.group = f"seven sums of {LENGTH:,} words between {USERS} processes"
    benchmark.extra_info["bound"] = masks == "none"
    words = np.random.default_rng(0).integers(0, 2**32, (USERS, LENGTH), dtype=np.uint32)
    result = benchmark.pedantic(
        run_mesh, (words,), {"rounds": 7, "masks": masks, "seed": 0}, rounds=1
    )
    assert result.agreed
    benchmark.extra_info["median round (s)"] = float(np.median(result.seconds[1:]))
    benchmark.extra_info["payload over bound"] = max(result.payload_bytes) / result.bound_bytes


def test_a_sum_by_mpyc(benchmark: BenchmarkFixture) -> None:
    pytest.importorskip("mpyc")
    result = benchmark.pedantic(mpyc_sum, (USERS, LENGTH // 10), rounds=1)
    assert result.right
    benchmark.extra_info["the sum alone (s)"] = result.seconds[0]


def test_a_sum_in_one_process(benchmark: BenchmarkFixture) -> None:
    vectors = np.random.default_rng(0).normal(size=(USERS, LENGTH))
    coding = FixedPoint(USERS)

    def once() -> float:
        return float(secure_sum(vectors, deal(USERS, LENGTH), coding).total[0])

    assert abs(benchmark.pedantic(once, rounds=3) - vectors[:, 0].sum()) < 1e-5


def test_a_certificate(benchmark: BenchmarkFixture) -> None:
    assert benchmark.pedantic(certify, (4, 1), rounds=1).optimal
