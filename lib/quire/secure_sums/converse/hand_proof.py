r"""The converse for every K by hand, each line as something that the linear program can confirm.

Let H(W_k) = 1, let u and k be different users and i a third; all that is used is correctness, and
security against single users (T = 0).

*A user's key and message determine its input.* Given all other inputs and keys, X_k determines the
sum for user u, hence W_k. But (W_k, X_k) depends on the other inputs and keys only through Z_k, so
they are no help: H(W_k | X_k, Z_k) = 0.

*R_X >= 1.* H(X_k) >= I(X_k; W_k | Z_k) = H(W_k) = 1.

*R_Z >= 1.* X_k is a function of (W_k, Z_k), so H(Z_k) >= H(X_k | W_[K], Z_u); by security of u this
is H(X_k | S, W_u, Z_u). Give everything but W_i and Z_k, and S is masked by W_i, so it may be
dropped: what is left is at least H(X_k | all but W_i, W_k and Z_k) >= 1, as before.

*R_ZΣ >= K-1.* Again by security, the messages of all others tell u nothing of the inputs but their
sum, so H(Z_[K]) >= H(Z_u) + H(X_{≠u} | W_[K], Z_u) = H(Z_u) + H(X_{≠u} | S, W_u, Z_u). Of
H(X_{≠u} | W_u, Z_u) >= K-1 only the sum, one symbol, is fixed by S: the second term is at least
K-2, and the first at least 1.

*On a graph*, where user u wants the sum of its neighbours' inputs, the same steps hold with the
messages that u hears in place of those of all others. A user of degree d is told of d inputs, of
which one symbol is due, and its own key costs one more if it has a neighbour that somebody else
hides it from: R_ZΣ >= d-1, and >= d if some neighbour has degree two at least.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from jaxtyping import Bool

from quire.secure_sums.converse.models import aggregation_model
from quire.secure_sums.converse.programs import converse_program, converse_values
from quire.secure_sums.linear.zero_sum import enough_users
from quire.secure_sums.problems import everyone_wants_everything, neighbourhood_sums


@dataclass(frozen=True)
class ProofLine:
    """One line of the proof: Σ terms >= least for every protocol.

    Attributes
    ----------
    says
        The line in formulas.
    terms
        Left side minus right side, as coefficients of joint entropies.
    least
        The constant on the right.
    """

    says: str
    terms: dict[int, int]
    least: int


@dataclass(frozen=True)
class ConfirmedLine:
    """What the linear program says of a line: the least value of left side minus right side."""

    says: str
    claimed: Fraction
    least: Fraction

    @property
    def holds(self) -> bool:
        """Whether no protocol falls below what the line claims."""
        return self.least >= self.claimed


def proof_lines(users: int) -> tuple[ProofLine, ...]:
    """Return the lines of the proof for K users, with k = 1, u = 2, i = 3 (numbers 0, 1, 2).

    Raises
    ------
    ValueError
        When K < 3.
    """
    everyone = range(enough_users(users))
    w, z, x = ([1 << 3 * k + part for k in everyone] for part in range(3))
    total, inputs, keys = 1 << 3 * users, sum(w), sum(z)
    k, u, i = 0, 1, 2
    heard = sum(x) - x[u]
    rest = sum(w[j] | z[j] for j in everyone if j not in (k, i))

    def given(left: int, condition: int, sign: int = 1) -> dict[int, int]:
        """H(left | condition), as terms."""
        return {left | condition: sign, condition: -sign} if condition else {left: sign}

    def plus(*parts: dict[int, int]) -> dict[int, int]:
        """Return the sum of formal sums."""
        summed: dict[int, int] = {}
        for part in parts:
            for subset, c in part.items():
                summed[subset] = summed.get(subset, 0) + c
        return {subset: c for subset, c in summed.items() if c}

    seen = total | w[u] | z[u]
    return (
        ProofLine("0 >= H(W_k | X_k, Z_k)", given(w[k], x[k] | z[k], -1), 0),
        ProofLine("H(X_k) >= 1", given(x[k], 0), 1),
        ProofLine(
            "H(Z_k) >= H(X_k | W_all, Z_u)",
            plus(given(z[k], 0), given(x[k], inputs | z[u], -1)),
            0,
        ),
        ProofLine(
            "H(X_k | W_all, Z_u) >= H(X_k | S, W_u, Z_u)",
            plus(given(x[k], inputs | z[u]), given(x[k], seen, -1)),
            0,
        ),
        ProofLine(
            "H(X_k | S, W_u, Z_u) >= H(X_k | all but W_i, W_k, Z_k)",
            plus(given(x[k], seen), given(x[k], rest | z[i], -1)),
            0,
        ),
        ProofLine("H(X_k | all but W_i, W_k, Z_k) >= 1", given(x[k], rest | z[i]), 1),
        ProofLine(
            "H(Z_all) >= H(Z_u) + H(X_others | W_all, Z_u)",
            plus(given(keys, 0), given(z[u], 0, -1), given(heard, inputs | z[u], -1)),
            0,
        ),
        ProofLine(
            "H(X_others | W_all, Z_u) >= H(X_others | S, W_u, Z_u)",
            plus(given(heard, inputs | z[u]), given(heard, seen, -1)),
            0,
        ),
        ProofLine(
            "H(X_others | S, W_u, Z_u) >= H(X_others | W_u, Z_u) - 1",
            plus(given(heard, seen), given(heard, w[u] | z[u], -1)),
            -1,
        ),
        ProofLine(f"H(X_others | W_u, Z_u) >= {users - 1}", given(heard, w[u] | z[u]), users - 1),
    )


def confirm_lines(users: int) -> tuple[ConfirmedLine, ...]:
    """Return, for each line of the proof, the least value that Shannon's inequalities allow.

    Raises
    ------
    ValueError
        When K < 3, or there are too many variables.
    """
    lines = proof_lines(users)
    model = aggregation_model(everyone_wants_everything(users, [0]), user=0)
    listed = replace(
        model, alike=None, objectives={line.says: line.terms for line in lines}
    )  # users k, u and i play different parts, so no relabelling may move them
    values = converse_values(converse_program(listed), (line.says for line in lines))
    return tuple(
        ConfirmedLine(
            line.says, Fraction(line.least), Fraction(value + 0.0).limit_denominator(1000)
        )
        for line, value in zip(lines, values, strict=True)
    )


def least_graph_key(adjacency: Bool[np.ndarray, "K K"]) -> int:
    """Return what the proof by hand gives for the total key of neighbourhood sums on a graph.

    The largest over the users of d-1, and of d where a neighbour has degree two or more.

    Raises
    ------
    ValueError
        When the matrix is no loop-free undirected graph, or a user is alone.
    """
    graph = np.array(neighbourhood_sums(adjacency).hears)
    degrees = graph.sum(axis=1)
    hidden = [int(degrees[row].max()) >= 2 for row in graph]
    return max(int(d) - 1 + int(h) for d, h in zip(degrees, hidden, strict=True))
