"""A scheme that codes over several symbols, where no scheme of single symbols is as good.

Users 1 … K-1, each alone, must learn nothing of user 0's input beyond the sum. Each of them holds
a key of one symbol for L = K-2 input symbols, n_i, and adds a_i·n_i, where any K-2 of the K-1
directions a_i span F_q^L; user 0 holds minus their sum. All keys together are K-1 symbols for K-2:
the rate (K-1)/(K-2), a fraction. With single symbols K-2 of the users need a whole one each.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from quire.secure_sums.linear.fields import prime
from quire.secure_sums.linear.zero_sum import enough_users
from quire.secure_sums.problems import AggregationProblem, everyone_wants_everything


def one_protected_input(users: int) -> AggregationProblem:
    """Return the problem in which nobody alone may learn of user 0's input.

    Raises
    ------
    ValueError
        When K < 3.
    """
    complete = everyone_wants_everything(enough_users(users), [])
    alone = tuple((u, ()) for u in range(1, users))
    return AggregationProblem(complete.hears, complete.wants, alone, protects=(0,))


def block_coded_keys(users: int, q: int) -> Int[np.ndarray, "KL r"]:
    """Return the key matrix of the block-coded scheme: L = K-2 rows a user, K-1 columns.

    Raises
    ------
    ValueError
        When K < 3, or q is not prime.
    """
    length = enough_users(users) - 2
    directions = np.concatenate([np.eye(length, dtype=np.int64), np.ones((1, length), int)])
    matrix = np.zeros((users, length, users - 1), dtype=np.int64)
    for helper, direction in enumerate(directions):
        matrix[helper + 1, :, helper] = direction
    matrix[0] = -matrix[1:].sum(axis=0) % prime(q)
    return matrix.reshape(users * length, users - 1)
