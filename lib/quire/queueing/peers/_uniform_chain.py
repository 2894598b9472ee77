"""The uniformised chain of every decision, as other people's solvers take it."""

import numpy as np
import scipy.sparse as sp

from quire.queueing.decisions.value_iteration import UniformisedModel


def chain_of(step: UniformisedModel) -> sp.csr_matrix:
    """Return the transition probabilities of every decision, self-loops included."""
    rows = np.arange(len(step.loop))
    loops = sp.csr_array((step.loop, (rows, step.stay)), shape=step.moves.shape)
    return sp.csr_matrix((step.moves + loops)[step.choice])
