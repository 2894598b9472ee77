"""PyTorch's runtime executes our schedules (optional: skips without torch)."""

import pytest

from quire.pipeline import (
    ListScheduler,
    gradient_difference,
    one_f_one_b,
    swap_search,
    uniform_program,
    write_actions,
    zb_1p,
)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["1f1b", "found", "zb1p"])
def test_gradients_equal_the_unpipelined_model(name):
    pytest.importorskip("torch")
    schedule = {
        "1f1b": lambda: one_f_one_b(uniform_program(2, 4, 1.0, 2.0)),
        "found": lambda: (
            swap_search(
                ListScheduler(uniform_program(2, 4, 1.0, 2.0, chunks=2)), evaluations=50
            ).schedule
        ),
        "zb1p": lambda: zb_1p(uniform_program(2, 4, 1.0, 1.0, 1.0)),
    }[name]()
    assert gradient_difference(write_actions(schedule)) <= 1e-6
