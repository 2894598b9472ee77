"""Real messages between MPI processes: run :mod:`quire.sketching.messages`, read its counts."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from quire.signatures import checked
from quire.sketching.messages import MessageCase, MessageCount

_RUN = "import sys; from quire.sketching.peers.mpi4py import run_rank; run_rank(sys.argv[1])"


def mpiexec_path() -> str:
    """Return where ``mpiexec`` is.

    Raises
    ------
    RuntimeError
        Naming the packages, when it or mpi4py is missing.
    """
    beside = Path(sys.executable).parent / "mpiexec"
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    if found is None or importlib.util.find_spec("mpi4py") is None:
        raise RuntimeError("mpi4py or mpiexec = missing: pip install mpi4py mpich")
    return found


@checked
def count_messages(
    cases: Sequence[MessageCase], *, timeout: float = 300.0
) -> tuple[MessageCount, ...]:
    """Run the cases with as many MPI processes as their grids have ranks, and count their bytes.

    Raises
    ------
    ValueError
        When there are no cases, or their grids differ in the number of ranks.
    RuntimeError
        When MPI is missing or the run fails, with the last line it wrote.
    """
    if len({case.ranks for case in cases}) != 1:
        counts = sorted({case.ranks for case in cases})
        raise ValueError(f"cases = on {counts} ranks: one number of ranks for all is allowed")
    argument = json.dumps([asdict(case) for case in cases])
    command = [
        mpiexec_path(), "-n", str(cases[0].ranks),
        sys.executable, "-c", _RUN, argument,
    ]  # fmt: skip
    # one thread per rank: the ranks share this machine's cores
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    # MPICH: yield while polling, for the same reason
    environment["MPIR_CVAR_CH4_PROGRESS_THROTTLE"] = "1"
    environment.pop("XLA_FLAGS", None)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, env=environment, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise RuntimeError(f"timeout = {timeout} s: the MPI run needs more time") from late
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise RuntimeError(f"MPI run failed with status {done.returncode}: {last}")
    results = json.loads(done.stdout.splitlines()[-1])
    return tuple(
        MessageCount(case, tuple(result["sent"]), tuple(result["received"]), result["error"])
        for case, result in zip(cases, results, strict=True)
    )


def run_rank(argument: str) -> None:
    """Run the cases, a JSON list of fields, on this rank; rank 0 prints the counts as JSON."""
    from mpi4py import MPI

    from quire.sketching.messages import run_case

    world = MPI.COMM_WORLD
    results = []
    for case in (MessageCase(**fields) for fields in json.loads(argument)):
        counted = world.gather(run_case(world, case))
        if counted is not None:
            sent, received, errors = zip(*counted, strict=True)
            results.append({"sent": sent, "received": received, "error": max(errors)})
    if world.Get_rank() == 0:
        print(json.dumps(results))
