"""A protocol instance's certificate: data that somebody else's program can check.

It holds the scheme (so that leak 0 can be recomputed by rank over all observers and collusions),
the converse's dual as fractions (so that optimality can be added up), and the bytes that went over
the wire.

``check_certificate.py`` beside this file checks a saved one with the standard library alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from quire.secure_sums.converse.models import OBJECTIVES
from quire.secure_sums.converse.proofs import ConverseProof, prove_converse, verify
from quire.secure_sums.linear._leakage import Leak, check_collusion, correct, leakage
from quire.secure_sums.linear.protocols import one_pad_protocol
from quire.secure_sums.linear.zero_sum import zero_sum_matrix
from quire.secure_sums.problems import everyone_wants_everything
from quire.secure_sums.wire.mesh import MeshResult
from quire.signatures import checked

FORMAT = "quire secure-sum certificate 2"


@dataclass(frozen=True)
class Wire:
    """What a session of real processes sent, per user."""

    length: int
    rounds: int
    payload_bytes: tuple[int, ...]
    heard_bytes: tuple[int, ...]
    framing_bytes: tuple[int, ...]

    @property
    def over_bound(self) -> Fraction:
        """Payload over the converse's least: 1 is optimal."""
        bound = 4 * self.length * self.rounds * (len(self.payload_bytes) - 1)
        return Fraction(max(self.payload_bytes), bound)


@dataclass(frozen=True)
class Certificate:
    """What an instance of the scheme can prove about itself.

    Attributes
    ----------
    users, colluders
        K and T.
    fields
        Primes over which the key matrix was checked; 2 must be among them, since it also covers
        machine words: a matrix is invertible over Z_{2^32} exactly when it is modulo 2.
    keys
        The key matrix M of Z = M·N, with entries 0, 1 and -1.
    worst
        The largest leak over all observers, collusions and fields.
    bounds
        One exact proof per objective, of one user's message and key and of the total key; those
        of T = 0 serve every T.
    wire
        What was sent, when the instance was run.
    """

    users: int
    colluders: int
    fields: tuple[int, ...]
    keys: Int[np.ndarray, "K r"]
    worst: Leak
    bounds: tuple[ConverseProof, ...]
    wire: Wire | None = None

    @property
    def optimal(self) -> bool:
        """Whether nothing leaks and the rates are those that the proofs show to be least."""
        rates = (1, 1, self.keys.shape[1])
        return self.worst.symbols == 0 and tuple(p.bound for p in self.bounds) == rates

    def __str__(self) -> str:
        """Return the certificate in five lines."""
        least = ", ".join(str(p.bound) for p in self.bounds)
        steps = ", ".join(str(len(p.inequalities)) for p in self.bounds)
        wire = "not run" if self.wire is None else f"{float(self.wire.over_bound):.3f} of the bound"
        return (
            f"secure sum of K = {self.users} users against T = {self.colluders} colluders\n"
            f"  largest leak       {self.worst.symbols} symbols (fields {self.fields})\n"
            f"  rates              1, 1, {self.keys.shape[1]}; least possible {least}\n"
            f"  proof steps        {steps} elemental inequalities\n"
            f"  bytes on the wire  {wire}"
        )


@checked
def certify(
    users: int,
    colluders: int,
    fields: tuple[int, ...] = (2, 3, 5),
    run: MeshResult | None = None,
    proofs: Iterable[ConverseProof] = (),
) -> Certificate:
    """Certify the zero-sum scheme for K users against T colluders, and a run of it.

    ``proofs`` may hold proofs for K users that exist already, one per objective; those that are
    missing are made.

    Raises
    ------
    ValueError
        When T is outside 0 … K-3, K is above 5 (the proofs' programs grow eightfold per user), or
        the run is of another number of users.
    ArithmeticError
        When the scheme is not correct over a field, or a proof does not add up.
    """
    check_collusion(users, colluders)
    if users > 5:
        raise ValueError(f"users = {users}: exact proofs are made for K <= 5; certify fewer users")
    matrix = np.concatenate([np.eye(users - 1, dtype=np.int64), -np.ones((1, users - 1), int)])
    worst = Leak(0, (), 0)
    for q in fields:
        protocol = one_pad_protocol(zero_sum_matrix(users, q), q)
        found = leakage(protocol, range(colluders + 1)).worst
        if not correct(protocol).all():
            raise ArithmeticError(f"the scheme is not correct over F_{q}")
        worst = max(worst, found, key=lambda leak: leak.symbols)
    problem = everyone_wants_everything(users, [0])
    made = {proof.objective: proof for proof in proofs}
    bounds = tuple(made.get(goal) or prove_converse(problem, goal) for goal in OBJECTIVES)
    if not all(verify(proof) for proof in bounds):
        raise ArithmeticError("a proof does not add up")
    wire = None
    if run is not None:
        if run.session.users != users or not run.agreed:
            raise ValueError("run is of another number of users, or did not finish with one sum")
        wire = Wire(
            run.session.length,
            run.session.rounds,
            run.payload_bytes,
            run.heard_bytes,
            tuple(r.traffic.framing for r in run.reports),
        )
    return Certificate(users, colluders, fields, matrix, worst, bounds, wire)


def with_wire(certificate: Certificate, wire: Wire) -> Certificate:
    """Return a certificate with what a session has sent."""
    return replace(certificate, wire=wire)


@checked
def save_certificate(certificate: Certificate, path: Path) -> None:
    """Write a certificate as JSON, with fractions as strings."""
    path.write_text(json.dumps(as_data(certificate), indent=1, ensure_ascii=False) + "\n")


@checked
def as_data(certificate: Certificate) -> dict[str, object]:
    """Return the certificate as plain data.

    Sets of variables are integers: bit 3k is W_k, 3k+1 is Z_k, 3k+2 is X_k, and bit 3K is the sum.
    """
    wire = certificate.wire
    return {
        "format": FORMAT,
        "users": certificate.users,
        "colluders": certificate.colluders,
        "fields": list(certificate.fields),
        "keys": certificate.keys.tolist(),
        "leak": certificate.worst.symbols,
        "bounds": [bound_as_data(proof) for proof in certificate.bounds],
        "wire": None
        if wire is None
        else {
            "length": wire.length,
            "rounds": wire.rounds,
            "payload_bytes": list(wire.payload_bytes),
            "heard_bytes": list(wire.heard_bytes),
            "framing_bytes": list(wire.framing_bytes),
        },
    }


def bound_as_data(proof: ConverseProof) -> dict[str, Any]:
    """Return a proof as plain data, its multipliers as strings."""
    return {
        "objective": proof.objective,
        "bound": str(proof.bound),
        "inequalities": [[s.context, s.first, s.second, str(s.weight)] for s in proof.inequalities],
        "equalities": [[list(s.equality.name), str(s.weight)] for s in proof.equalities],
    }
