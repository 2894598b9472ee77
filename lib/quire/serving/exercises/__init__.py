"""The checks of the exercises of the chapters on serving; a file a chapter.

Every check computes the right answer, takes whatever a reader wrote, and returns whether it is
right. None, NaN, a wrong type or a wrong value is False; nothing raises.
"""

from quire.serving.exercises.engine import least_pool, link_share, skew_share, tokens_per_joule

__all__ = ["least_pool", "link_share", "skew_share", "tokens_per_joule"]
