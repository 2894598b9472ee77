"""The gauntlet lets nothing through, and tells a weaker policy."""

import pytest

from quire.world_model.kernel.gauntlet import classes
from quire.world_model.kernel.gauntlet.arena import WEAKER


def test_the_gauntlet_lets_nothing_through_and_refuses_nothing_good(tmp_path):
    rows = classes.run(tmp_path, 5, fuzzed=60)
    assert sum(r.attempts for r in rows) == 97 + 102 + 60 + sum(classes.OURS.values())
    assert [r.name for r in rows if r.escaped] == []
    assert all(r.granted == r.controls for r in rows) and sum(r.controls for r in rows) > 15


@pytest.mark.parametrize("weakened", ["nothing protected", "ceiling at A6", "no barrier"])
def test_the_gauntlet_finds_a_weaker_policy(tmp_path, weakened):
    assert weakened in WEAKER
    assert sum(r.escaped for r in classes.run(tmp_path, 5, fuzzed=150, weakened=weakened)) > 0
