"""The checks of the exercises of the chapters on serving; a file a chapter.

Every check computes the right answer, takes whatever a reader wrote, and returns whether it is
right. None, NaN, a wrong type or a wrong value is False; nothing raises.
"""

from quire.serving.exercises.engine import least_pool, link_share, skew_share, tokens_per_joule
from quire.serving.exercises.fleet import exact_power, pool_size, silent_conflict
from quire.serving.exercises.loading import (
    bottleneck_moves,
    capacity_gain,
    deadlock_room,
    shared_link,
)

__all__ = [
    "bottleneck_moves",
    "capacity_gain",
    "deadlock_room",
    "exact_power",
    "least_pool",
    "link_share",
    "pool_size",
    "shared_link",
    "silent_conflict",
    "skew_share",
    "tokens_per_joule",
]
