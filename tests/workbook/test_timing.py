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
