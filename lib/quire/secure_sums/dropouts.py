"""Two rounds that survive dropouts: shares of every mask, from a private MDS code.

With B = U-T-1, user k masks L = B blocks of input by N_k, and dealt beforehand are shares
s_{k→j} = C_j·[N_k; R_k] of U rows, T+1 of them random (R_k), with C a Cauchy matrix. Survivors of
round one send Y_j = Σ_{k∈𝒰1} s_{k→j}: one block, so R_2 = 1/(U-T-1). Any U shares give Σ N_k (ours,
after arXiv 2605.22261: infeasible if U <= T+1, else R_1 >= 1 and R_2 >= 1/(U-T-1)).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import numpy as np
from jaxtyping import Int

from quire.secure_sums.errors import InfeasibleError
from quire.secure_sums.fields import prime_power
from quire.secure_sums.leakage import correct, leakage
from quire.secure_sums.protocols import LinearProtocol, complete_graph

FIELD = 2_147_483_647


def second_round_rate(survivors: int, colluders: int) -> Fraction:
    """Return the least R_2 = 1/(U-T-1) of arXiv 2605.22261.

    Raises ``InfeasibleError`` when U <= T+1.
    """
    if survivors <= colluders + 1:
        raise InfeasibleError(
            f"U = {survivors} survivors against T = {colluders} colluders: infeasible, "
            f"take U >= {colluders + 2}"
        )
    return Fraction(1, survivors - colluders - 1)


@dataclass(frozen=True)
class DropoutScheme:
    """Shares for K users of whom at least U survive, against T colluders.

    Parameters
    ----------
    users, survivors, colluders
        K, U and T with T+1 < U <= K.
    q
        A prime above K+U, so that the Cauchy points are distinct.
    privacy
        Random blocks in each share; T+1 is what the theorem needs, and fewer leaks.
    """

    users: int
    survivors: int
    colluders: int
    q: int = FIELD
    privacy: int | None = None

    def __post_init__(self) -> None:
        second_round_rate(self.survivors, self.colluders)
        if self.survivors > self.users:
            raise ValueError(f"U = {self.survivors} survivors of K = {self.users} users; lower U")
        if prime_power(self.q)[1] != 1 or self.q <= self.users + self.survivors:
            raise ValueError(f"q = {self.q} must be a prime above K+U for the Cauchy points")

    @property
    def blocks(self) -> int:
        """B = U-T-1, the input blocks."""
        return self.survivors - self.colluders - 1

    @property
    def random_blocks(self) -> int:
        """T+1 random blocks of each share, unless fewer were asked for."""
        return self.colluders + 1 if self.privacy is None else self.privacy

    def code(self) -> Int[np.ndarray, "K U"]:
        """Return the Cauchy matrix C_ji = 1/(x_j + y_i), every square block of it invertible."""
        width = self.blocks + self.random_blocks
        return np.array(
            [[pow(width + 1 + j + i, -1, self.q) for i in range(width)] for j in range(self.users)]
        )

    def protocol(
        self,
        first_round: tuple[int, ...],
        second_round: tuple[int, ...],
        late_messages: bool = True,
    ) -> LinearProtocol:
        """Return the linear protocol in which these users finished round one and round two.

        With ``late_messages`` the first-round messages of dropped users are heard too, as they may
        be; security has to be asked of that, correctness of the protocol without them.
        """
        K, B, width = self.users, self.blocks, self.blocks + self.random_blocks
        n = K * B + K * width
        inputs = np.eye(K * B, n, dtype=np.int64).reshape(K, B, n)
        source = np.eye(n, dtype=np.int64)[K * B :].reshape(K, width, n)
        code = self.code()
        shares = np.einsum("ji,kin->jkn", code, source) % self.q  # user j's share of each N_k
        keys = np.concatenate([source, shares], axis=1)
        messages = np.zeros((K, B + 1, n), dtype=np.int64)
        sending = range(K) if late_messages else first_round
        for k in sending:
            messages[k, :B] = inputs[k] + source[k, :B]
        for j in second_round:
            messages[j, B] = shares[j, list(first_round)].sum(axis=0) % self.q
        wanted = np.repeat(inputs[list(first_round)].sum(axis=0)[None], K, axis=0)
        return LinearProtocol(self.q, inputs, keys, messages, complete_graph(K), wanted)


@dataclass(frozen=True)
class DropoutCheck:
    """Verdict over every pattern of dropouts: all survivors decode, and the largest leak."""

    patterns: int
    decodable: bool
    leak: int


def check_dropouts(scheme: DropoutScheme) -> DropoutCheck:
    """Check every 𝒰1 ⊇ 𝒰2 with at least U users, every observer and every 𝒯 up to T, exactly.

    Security is asked with all first-round messages and all second-round messages of 𝒰1 heard, which
    contains every smaller view; correctness with no more than 𝒰1's and 𝒰2's.
    """
    everyone = range(scheme.users)
    patterns, decodable, leak = 0, True, 0
    for first in _subsets(everyone, scheme.survivors):
        leak = max(
            leak,
            leakage(scheme.protocol(first, first), range(scheme.colluders + 1)).worst.symbols,
        )
        for second in _subsets(first, scheme.survivors):
            patterns += 1
            decoded = correct(scheme.protocol(first, second, late_messages=False))
            decodable &= bool(decoded[list(second)].all())
    return DropoutCheck(patterns, decodable, leak)


def _subsets(users: Iterable[int], at_least: int) -> list[tuple[int, ...]]:
    members = tuple(users)
    return [
        chosen
        for size in range(at_least, len(members) + 1)
        for chosen in combinations(members, size)
    ]
