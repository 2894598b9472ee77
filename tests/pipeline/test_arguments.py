"""Arguments of other kinds: the same answer where they mean the same, else refused by name."""

from collections.abc import Callable

import numpy as np
import pytest

from quire.pipeline import (
    Hardware,
    ListScheduler,
    kernel_efficiency,
    layer_cost,
    layer_flops,
    memory_curve,
    model_named,
    one_f_one_b,
    swap_search,
    timed_search,
    topological_order,
    tree_search,
    uniform_program,
    video_microbatch,
    vision_microbatch,
    zb_1p,
)

pytestmark = pytest.mark.usefixtures("unchecked_types")

PROGRAM = uniform_program(2, 3, 1.0, 2.0, 0.5)
SCHEDULE = one_f_one_b(PROGRAM)
SCHEDULER = ListScheduler(PROGRAM)
KEY = np.arange(PROGRAM.operations)
MODULE = model_named("vlm_s").modules[0]
LENGTHS = np.array([100.0, 50.0])


@pytest.mark.parametrize("kind", ["int8", "uint8", "int32", "float32"])
def test_lengths_of_small_types_do_not_overflow(kind: str) -> None:
    assert layer_flops(MODULE, LENGTHS.astype(kind)) == layer_flops(MODULE, LENGTHS)
    right = layer_cost(MODULE, LENGTHS, Hardware())
    assert layer_cost(MODULE, LENGTHS.astype(kind), Hardware()) == right


def test_lists_are_taken() -> None:
    assert layer_flops(MODULE, [100, 50]) == layer_flops(MODULE, LENGTHS)
    assert layer_flops(MODULE, []) == (0.0, 0.0)
    assert topological_order(3, [0, 2], [1, 1]).tolist() == [0, 2, 1]
    assert SCHEDULER.makespan(KEY.tolist()) == SCHEDULER.makespan(KEY)
    assert len(video_microbatch([8, 16]).lengths[0]) == 2


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: layer_flops(MODULE, [100.0, np.nan]), "lengths"),
        (lambda: layer_flops(MODULE, [-1.0]), "lengths"),
        (lambda: layer_flops(MODULE, [True]), "lengths"),
        (lambda: layer_cost(MODULE, np.array([np.inf]), Hardware()), "lengths"),
        (lambda: kernel_efficiency(np.nan, Hardware()), "tokens"),
        (lambda: kernel_efficiency(-1.0, Hardware()), "tokens"),
        (lambda: vision_microbatch(3, [np.nan]), "uniforms"),
        (lambda: vision_microbatch(3, [1.5]), "uniforms"),
        (lambda: video_microbatch([np.nan]), "frames"),
        (lambda: video_microbatch([]), "frames"),
        (lambda: model_named(["vlm_s"]), "name"),
        (lambda: memory_curve(SCHEDULE, 2), "rank"),
        (lambda: memory_curve(SCHEDULE, -1), "rank"),
        (lambda: memory_curve(SCHEDULE, 0.5), "rank"),
        (lambda: SCHEDULER.run(KEY + 0.5), "key"),
        (lambda: SCHEDULER.run(KEY + 2**32), "key"),
        (lambda: SCHEDULER.makespan(KEY.astype(str)), "key"),
        (lambda: uniform_program(2.5, 3, 1.0, 2.0), "ranks"),
        (lambda: uniform_program(2, 3, 1.0, 2.0, chunks=0), "chunks"),
        (lambda: uniform_program(2, 3, [1.0], 2.0), "forward"),
        (lambda: uniform_program(2, 3, 1.0, np.nan), "backward"),
        (lambda: topological_order(3, [0.5], [1]), "source"),
        (lambda: topological_order(3, [0, 1], [1]), "target"),
        (lambda: topological_order(2.5, [0], [1]), "n"),
        (lambda: swap_search(SCHEDULER, seed=None), "seed"),
        (lambda: swap_search(SCHEDULER, epsilon=np.nan), "epsilon"),
        (lambda: swap_search(SCHEDULER, seconds=np.nan), "seconds"),
        (lambda: tree_search(SCHEDULER, seed=1.5), "seed"),
        (lambda: tree_search(SCHEDULER, exploration=np.nan), "exploration"),
        (lambda: timed_search(SCHEDULER, None), "seconds"),
        (lambda: timed_search(SCHEDULER, np.nan), "seconds"),
        (lambda: zb_1p(PROGRAM, seed=None), "seed"),
    ],
)
def test_another_kind_of_argument_is_refused_by_name(call: Callable[[], object], name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}\\b"):
        call()
