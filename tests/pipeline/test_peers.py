"""PyTorch's runtime executes our schedules (skipped where that peer is not installed)."""

import pytest

from quire.pipeline import one_f_one_b, uniform_program, write_actions, zb_1p
from quire.pipeline.experiments import others
from quire.pipeline.experiments.setting import named
from quire.workbook import peers

needs_torch = pytest.mark.skipif(not peers.available("torch"), reason="needs the peer torch")

TABLES = {
    "1f1b": lambda: write_actions(one_f_one_b(uniform_program(2, 4, 1.0, 2.0))),
    "found": lambda: others.exported(named("vlm_m", evaluations=50))[1],
    "zb1p": lambda: write_actions(zb_1p(uniform_program(2, 4, 1.0, 1.0, 1.0))),
}


def gradients(table):
    return peers.call("torch", {"call": "pipelined_gradients", "table": table, "seed": 0})[0]


@pytest.mark.slow
@needs_torch
@pytest.mark.parametrize("name", TABLES)
def test_gradients_equal_the_unpipelined_model(name):
    found = gradients(TABLES[name]())
    assert found["difference"] <= 1e-6 < found["left_out"]
    assert found["ranks"] == 2


@pytest.mark.slow
@needs_torch
def test_a_table_that_cannot_run_is_told():
    with pytest.raises(peers.PeerFailed, match="did not run its row"):
        gradients("0F0,1B0\nnonsense\n")
