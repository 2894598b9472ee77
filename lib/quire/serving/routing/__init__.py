"""Routers: which replica, which pool, which model, and whether the rules agree.

::

    import numpy as np
    from quire.serving.routing import Replicas, replay_router

    at = np.arange(6) * 0.1  # two conversations in turn, whose prompts share their first blocks
    n_in, n_out = np.full(6, 1024), np.full(6, 50)
    start, blocks = np.arange(7) * 2, np.array([0, 1, 2, 3] * 3)
    servers = Replicas(count=2, cache_blocks=100)
    replay_router(at, n_in, n_out, start, blocks, servers, "prefix affinity").hit_rate

Read in this order:

1. ``replicas``: round robin, least loaded, sticky and prefix affinity over servers with caches;
   ``affinity``: the semantic router's bonus; ``tokens``: lengths estimated from bytes.
2. ``rules``: guards that contradict; ``caps``: embedding signals that fire together.
3. ``cascade``: a small model first; ``bandits``: choosing models while learning.
"""

from quire.serving.routing.affinity import Session, affinity_bonus
from quire.serving.routing.bandits import Learnt, World, learn, model_world
from quire.serving.routing.caps import (
    Cap,
    cap_share,
    draw_queries,
    firing_probability,
    overlap,
    softmax_fires,
)
from quire.serving.routing.cascade import Cascade, cascade
from quire.serving.routing.replicas import POLICIES, Replicas, Routing, replay_router
from quire.serving.routing.rules import Conflict, Rule, conflicts, unreachable
from quire.serving.routing.tokens import TokenEstimator, estimates

__all__ = [
    "POLICIES",
    "Cap",
    "Cascade",
    "Conflict",
    "Learnt",
    "Replicas",
    "Routing",
    "Rule",
    "Session",
    "TokenEstimator",
    "World",
    "affinity_bonus",
    "cap_share",
    "cascade",
    "conflicts",
    "draw_queries",
    "estimates",
    "firing_probability",
    "learn",
    "model_world",
    "overlap",
    "replay_router",
    "softmax_fires",
    "unreachable",
]
