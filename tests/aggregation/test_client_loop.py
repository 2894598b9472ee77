import jax
import numpy as np

from quire.aggregation import LocalTraining, client_loop


def test_the_loop_ends_where_the_one_program_ends(federation, still, ran):
    looped = client_loop(federation, still, LocalTraining(epochs=2), seed=4)(2)
    for one, other in zip(jax.tree.leaves(ran[2].params), jax.tree.leaves(looped), strict=True):
        assert np.allclose(one[1], other, atol=1e-5)
