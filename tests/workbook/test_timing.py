import numpy as np
import pytest

from quire.workbook.timing import Race, race


def test_runners_take_turns_after_one_warm_up() -> None:
    calls: list[str] = []
    result = race({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3)
    assert calls == ["a", "b"] * 4
    assert {len(seconds) for seconds in result.seconds.values()} == {3}


def test_an_unfinished_result_is_waited_for() -> None:
    class Pending:
        waited = 0

        def block_until_ready(self) -> None:
            Pending.waited += 1

    race({"a": Pending}, rounds=2)
    assert Pending.waited == 3


def test_a_ratio_is_the_median_of_its_rounds() -> None:
    result = Race({"ours": (1.0, 9.0, 2.0), "theirs": (2.0, 3.0, 4.0)})
    assert result.ratio("ours", "theirs") == 0.5
    assert result.median("theirs") == 3.0


@pytest.mark.parametrize(("rounds", "low", "high"), [(2, 1, 2), (5, 1, 5), (6, 1, 6), (9, 2, 8)])
def test_the_interval_of_a_ratio_holds_its_median(rounds: int, low: int, high: int) -> None:
    """The ratios are 1, 2, ..., n: the order statistics of the binomial table are plain to see."""
    seconds = tuple(float(k) for k in range(rounds, 0, -1))
    result = Race({"ours": seconds, "theirs": (1.0,) * rounds})
    assert result.ratio_interval("ours", "theirs") == (low, high)


def test_the_interval_covers_the_median_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        drawn = tuple(generator.lognormal(0.0, 1.0, size=9))
        low, high = Race({"a": drawn, "b": (1.0,) * 9}).ratio_interval("a", "b")
        hits += low <= 1.0 <= high
    assert 0.93 <= hits / 400 <= 0.99  # 1 - 2 P(Bin(9, 1/2) <= 1) = 0.961
