"""The checks of chapter 06's exercises: blocks, unequal lengths, a link, tokens a joule."""

from numbers import Integral
from typing import Any

import numpy as np

from quire.answers import called, is_near
from quire.serving.engine.config import SchedulerConfig
from quire.serving.engine.instance import replay
from quire.serving.experiments.pictures import toy_profile
from quire.serving.links.collectives import Link, all_reduce_ns
from quire.serving.profiles.models import QWEN3_32B
from quire.serving.profiles.skew import fit_alpha
from quire.serving.workload.trace import Trace

TWO = Trace(np.array([0, 0]), np.array([32, 32]), np.array([40, 40]))
"""Two alike requests of 32 tokens, which answer with 40 each."""


def least_pool(answer: Any) -> bool:
    """Whether the answer is the least number of blocks with which the two never lose a block."""
    if isinstance(answer, bool) or not isinstance(answer, Integral | np.integer):
        return False
    profile, right = toy_profile(), 0
    for blocks in range(5, 20):
        rules = SchedulerConfig(blocks, 64, 2, prefix_caching=False)
        if replay(TWO, profile, rules).preemptions == 0:
            found = replay(TWO, profile, rules)
            if found.scheduled_ns.max() == 0:
                right = blocks
                break
    return int(answer) == right


def skew_share(answer: Any) -> bool:
    """Whether the answer is a function that fits alpha to triples as `fit_alpha` does."""
    if not callable(answer):
        return False
    rng = np.random.default_rng(6)
    for _ in range(3):
        mean = rng.uniform(50, 100, 12)
        longest = mean + rng.uniform(1, 60, 12)
        mixed = mean + 0.2 * (longest - mean) + rng.normal(0, 3, 12)
        found = called(answer, mean, longest, mixed)
        if not is_near(found, fit_alpha(mean, longest, mixed), abs_=1e-6):
            return False
    return True


def link_share(answer: Any) -> bool:
    """Whether the answer is the link's GiB/s at which a step's all-reduces take 10 ms.

    Qwen3-32B on two devices, 128 tokens a step, two all-reduces a block, no latency.
    """
    size = 128 * QWEN3_32B.hidden * QWEN3_32B.bytes_per_value
    at_one = 2 * QWEN3_32B.layers * float(all_reduce_ns(size, 2, Link(1.0))) / 1e6
    return is_near(answer, at_one / 10.0, rel=5e-3)


def tokens_per_joule(answer: Any) -> bool:
    """Whether the answer is the ratio of tokens per joule at 256 and at 1 stream on the H100.

    Steps of 13.944 and 6.460 ms at 692.2 and 428.1 watts, contexts of 512.
    """
    return is_near(answer, (256 / (13.944 * 692.2)) / (1 / (6.460 * 428.1)), rel=5e-3)
