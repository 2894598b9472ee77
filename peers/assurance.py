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


@call
def roots_ms(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Return pymerkle's processor ms per round of appending entries, with the root after each."""
    from pymerkle import InmemoryTree

    took, entries = [], [bytes.fromhex(e) for e in request["entries"]]
    for _ in range(1 + int(request["rounds"])):
        started, tree = time.process_time(), InmemoryTree(algorithm="sha256")
        for entry in entries:
            tree.append_entry(entry)
            root = tree.get_state()
        took.append(1e3 * (time.process_time() - started))
    return {"root": root.hex()}, {"ms": np.array(took[1:])}


@call
def programs(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Solve quadratic programs by OSQP: ``u'H u / 2 + f'u`` with ``rows u >= at_least``.

    Its matrices keep their pattern, so that it is set up once and updated, and starts from its last
    solution. Returned are the inputs and the processor ms of each round over all programs.
    """
    import osqp
    from scipy import sparse

    h, f = arrays["hessian"], arrays["slope"]
    rows, low = arrays["rows"], arrays["at_least"]
    upper = np.full(low.shape[1], np.inf)
    triangle = np.triu(np.ones(h[0].shape)).T.astype(bool)

    def dense(table: np.ndarray) -> Any:
        pattern = sparse.csc_matrix(np.ones(table.shape))
        pattern.data = np.asarray(table, order="F").ravel(order="F").copy()
        return pattern

    took = []
    for _ in range(1 + int(request["rounds"])):
        started, found = time.process_time(), []
        solver = osqp.OSQP()
        first = sparse.triu(dense(h[0]), format="csc")
        solver.setup(
            first,
            f[0],
            dense(rows[0]),
            low[0],
            upper,
            verbose=False,
            eps_abs=request["eps"],
            eps_rel=request["eps"],
            max_iter=100_000,
            polishing=True,
        )
        for k in range(len(h)):
            if k:
                solver.update(
                    q=f[k],
                    l=low[k],
                    u=upper,
                    Px=h[k].T[triangle],
                    Ax=np.asarray(rows[k]).ravel(order="F"),
                )
            found.append(solver.solve().x)
        took.append(1e3 * (time.process_time() - started) / len(h))
    return {}, {"inputs": np.array(found), "ms": np.array(took[1:])}


if __name__ == "__main__":
    serve()
