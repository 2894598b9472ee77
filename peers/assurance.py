"""What Z3, OSQP, pymerkle, PyNaCl and the authors' contracts are asked for by chapter 09."""

import time
from typing import Any

import numpy as np
from calls import Arrays, call, serve


@call
def obligations(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Decide SMT-LIB texts with Z3: for each whether it is satisfiable, and processor ms."""
    import z3

    verdicts, took = [], []
    for text in request["texts"]:
        started = time.process_time()
        solver = z3.Solver()
        solver.from_string(text)
        verdicts.append(str(solver.check()))
        took.append(1e3 * (time.process_time() - started))
    return {"verdicts": verdicts, "version": z3.get_version_string()}, {"ms": np.array(took)}


@call
def contract(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Tell the kinds of nano models and the reasons of the kernel in arya-contracts."""
    import arya_contracts

    return {
        "kinds": [kind.value for kind in arya_contracts.NanoImplKind],
        "reasons": [reason.value for reason in arya_contracts.KernelDenyReason],
        "version": arya_contracts.__version__,
    }, {}


@call
def roots(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Return pymerkle's root (RFC 9162) after each entry, entries in hexadecimal."""
    from pymerkle import InmemoryTree

    tree, found = InmemoryTree(algorithm="sha256"), []
    for entry in request["entries"]:
        tree.append_entry(bytes.fromhex(entry))
        found.append(tree.get_state().hex())
    return {"roots": found}, {}


@call
def signatures(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Return PyNaCl's Ed25519 signatures of messages under seeds, all in hexadecimal."""
    from nacl.signing import SigningKey

    pairs = zip(request["seeds"], request["messages"], strict=True)
    signed = [SigningKey(bytes.fromhex(s)).sign(bytes.fromhex(m)).signature.hex() for s, m in pairs]
    return {"signatures": signed}, {}


@call
def nearest(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Return OSQP's nearest points: ``wanted`` (n, d), ``rows`` (n, m, d), ``at_least`` (n, m)."""
    import osqp
    from scipy import sparse

    found = []
    for u, rows, low in zip(arrays["wanted"], arrays["rows"], arrays["at_least"], strict=True):
        solver = osqp.OSQP()
        solver.setup(
            sparse.eye(len(u), format="csc"),
            -u,
            sparse.csc_matrix(rows),
            low,
            np.full(len(low), np.inf),
            verbose=False,
            eps_abs=1e-10,
            eps_rel=1e-10,
            max_iter=100_000,
            polishing=True,
        )
        found.append(solver.solve().x)
    return {}, {"nearest": np.array(found)}


if __name__ == "__main__":
    serve()
