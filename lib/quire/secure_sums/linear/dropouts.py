"""Two rounds that survive dropouts: shares of every mask, from a private MDS code.

With B = U-T-1, user k masks L = B blocks of input by N_k, and dealt beforehand are shares
s_{k→j} = C_j·[N_k; R_k] of U rows, T+1 of them random (R_k), with C a Cauchy matrix. Survivors of
round one send Y_j = Σ_{k∈𝒰1} s_{k→j}: one block, so R_2 = 1/(U-T-1). Any U shares give Σ N_k: a
scheme of ours for arXiv 2605.22261 (infeasible if U <= T+1, else R_1 >= 1 and R_2 >= 1/(U-T-1)).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import numpy as np
from jaxtyping import Int

from quire.checks import integer
from quire.secure_sums.errors import InfeasibleError
from quire.secure_sums.linear._leakage import correct, leakage
from quire.secure_sums.linear.fields import prime
from quire.secure_sums.linear.protocols import LinearProtocol, complete_graph
from quire.secure_sums.linear.ranks import rank
from quire.signatures import checked

FIELD = 2_147_483_647


def second_round_rate(survivors: int, colluders: int) -> Fraction:
    """Return the least R_2 = 1/(U-T-1) of arXiv 2605.22261.

    Raises
    ------
    InfeasibleError
        When U <= T+1.
    ValueError
        When a number is negative or not whole.
    """
    colluders = integer("colluders", colluders, 0)
    if (survivors := integer("survivors", survivors, 0)) <= colluders + 1:
        raise InfeasibleError(
            f"U = {survivors} survivors against T = {colluders} colluders: infeasible, "
            f"take U >= {colluders + 2}"
        )
    return Fraction(1, survivors - colluders - 1)


@dataclass(frozen=True)
class DropoutScheme:
    """Shares for K users of whom at least U survive, against T colluders.

    Attributes
    ----------
    users, survivors, colluders
        K, U and T with T+1 < U <= K.
    q
        A prime above K plus the width of a share, so that all points of the code are distinct.
    privacy
        Random blocks in each share; T+1 is what the theorem needs, and fewer leak.

    Raises
    ------
    InfeasibleError
        When U <= T+1.
    ValueError
        When U > K, q is not such a prime, or a number is not whole.
    """

    users: int
    survivors: int
    colluders: int
    q: int = FIELD
    privacy: int | None = None

    def __post_init__(self) -> None:
        second_round_rate(self.survivors, self.colluders)
        for name in ("survivors", "colluders"):
            object.__setattr__(self, name, int(getattr(self, name)))
        object.__setattr__(self, "users", integer("users", self.users, 1))
        if self.survivors > self.users:
            raise ValueError(f"U = {self.survivors} survivors of K = {self.users} users; lower U")
        if self.privacy is not None:
            object.__setattr__(self, "privacy", integer("privacy", self.privacy, 0))
        object.__setattr__(self, "q", prime(self.q))
        if self.q <= self.users + self.width:
            raise ValueError(
                f"q = {self.q}: a prime above {self.users + self.width} is needed, so that the "
                "points of the Cauchy matrix are distinct"
            )

    @property
    def blocks(self) -> int:
        """B = U-T-1, the input blocks."""
        return self.survivors - self.colluders - 1

    @property
    def random_blocks(self) -> int:
        """T+1 random blocks of each share, unless fewer were asked for."""
        return self.colluders + 1 if self.privacy is None else self.privacy

    @property
    def width(self) -> int:
        """Blocks that a share combines: U, unless fewer random ones were asked for."""
        return self.blocks + self.random_blocks

    def code(self) -> Int[np.ndarray, "K U"]:
        """Return the Cauchy matrix C_ji = 1/(x_j - y_i), every square block of it invertible.

        The points are y_i = i and x_j = U + j, whose differences 1 … K+U-1 are below q.
        """
        return np.array(
            [
                [pow(self.width + j - i, -1, self.q) for i in range(self.width)]
                for j in range(self.users)
            ]
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
        K, B, width = self.users, self.blocks, self.width
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
    """What was found over every pattern of dropouts.

    Attributes
    ----------
    patterns
        Pairs (𝒰1, 𝒰2) of users that finish the first round and the second.
    decodable
        Whether every survivor obtained its sum in every pattern.
    leak
        The largest leak to any coalition, in symbols.
    second_rate
        Independent symbols that a survivor sends in the second round, per input symbol.
    """

    patterns: int
    decodable: bool
    leak: int
    second_rate: Fraction


@checked
def check_dropouts(scheme: DropoutScheme) -> DropoutCheck:
    """Check every 𝒰1 ⊇ 𝒰2 with at least U users, every observer and every 𝒯 up to T, exactly.

    Security is asked with all first-round messages and all second-round messages of 𝒰1 heard, which
    contains every smaller view; correctness with no more than 𝒰1's and 𝒰2's.
    """
    everyone = range(scheme.users)
    patterns, decodable, leak, sent = 0, True, 0, 0
    for first in _subsets(everyone, scheme.survivors):
        leak = max(
            leak,
            leakage(scheme.protocol(first, first), range(scheme.colluders + 1)).worst.symbols,
        )
        for second in _subsets(first, scheme.survivors):
            patterns += 1
            protocol = scheme.protocol(first, second, late_messages=False)
            decodable &= bool(correct(protocol)[list(second)].all())
            sent = max(sent, *(rank(x[scheme.blocks :], scheme.q) for x in protocol.messages))
    return DropoutCheck(patterns, decodable, leak, Fraction(sent, scheme.blocks))


def _subsets(users: Iterable[int], at_least: int) -> list[tuple[int, ...]]:
    members = tuple(users)
    return [
        chosen
        for size in range(at_least, len(members) + 1)
        for chosen in combinations(members, size)
    ]
