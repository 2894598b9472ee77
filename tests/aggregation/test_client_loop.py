import jax
import numpy as np

from quire.aggregation import GCN, LocalTraining, Run, Training, client_loop, fedavg, train


def test_the_loop_ends_where_the_one_program_ends(federation):
    network, local = GCN(3, hidden=8, dropout=0.0), LocalTraining(epochs=2)
    program = train([Run(federation, fedavg(), 4)], network, Training(local, rounds=3))
    looped = client_loop(federation, network, local, seed=4)(3)
    for one, other in zip(jax.tree.leaves(program.params), jax.tree.leaves(looped), strict=True):
        assert np.allclose(one[0], other, atol=1e-5)
