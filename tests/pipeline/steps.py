"""Random small steps for property tests."""

import numpy as np
from hypothesis import strategies as st

from quire.pipeline import Chain, Program, assemble

RANKS = st.integers(1, 4)
MICROBATCHES = st.integers(1, 5)


@st.composite
def step_programs(draw, ranks=RANKS, microbatches=MICROBATCHES, split=None) -> Program:
    """A vision-language step: up to two vision pieces feed one language chain per microbatch."""
    P, m = draw(ranks), draw(microbatches)
    hop = draw(st.sampled_from([0.0, 1.0]))
    halves = draw(st.booleans()) if split is None else split
    times = st.integers(1, 9)
    chains: list[Chain] = []
    for i in range(m):
        pieces = draw(st.integers(0, 2))
        first = len(chains)
        chains += [
            _chain(draw, times, i, 0, k, 0, tuple(range(P)), hop, halves, ()) for k in range(pieces)
        ]
        segments = draw(st.integers(1, 2))
        path = tuple(range(P)) * segments
        feeds = tuple(range(first, len(chains)))
        chains.append(_chain(draw, times, i, 1, 0, P, path, hop, halves, feeds))
    return assemble(chains, P)


def _chain(draw, times, i, module, piece, stage, path, hop, halves, feeds_on) -> Chain:
    forward, backward, weight = (np.full(len(path), float(draw(times))) for _ in range(3))
    memory = np.full(len(path), float(draw(st.integers(1, 3))))
    weight = weight if halves else np.zeros_like(weight)
    return Chain(i, module, piece, stage, path, forward, backward, weight, memory, hop, feeds_on)
