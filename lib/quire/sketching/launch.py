"""Start :mod:`quire.sketching.messages` under MPI and collect what its ranks counted."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from quire.sketching.bounds import nystrom_words
from quire.sketching.grids import grid_cost
from quire.sketching.problem import Grid, Shape


@dataclass(frozen=True)
class MessageCase:
    """One algorithm to run with real messages; Nystrom uses n1 = n2 and the grid (P, 1, 1)."""

    algorithm: Literal["sketch", "noredist", "redist"]
    n1: int
    n2: int
    r: int
    p1: int
    p2: int = 1
    p3: int = 1
    seed: int = 0

    @property
    def ranks(self) -> int:
        """Processors of the grid."""
        return Grid(self.p1, self.p2, self.p3).ranks

    @property
    def words(self) -> float:
        """Words per rank by the formula."""
        if self.algorithm == "sketch":
            return grid_cost(Shape(self.n1, self.n2, self.r), Grid(self.p1, self.p2, self.p3)).words
        return nystrom_words(self.n1, self.r, self.ranks, self.algorithm)


@dataclass(frozen=True)
class MessageCount:
    """What the ranks of one case sent, and how far the result is from the dense product."""

    case: MessageCase
    bytes_sent: tuple[int, ...]  # per rank, payload of point-to-point messages
    error: float  # largest absolute difference

    @property
    def words_sent(self) -> float:
        """Words of 8 bytes that the busiest rank sent."""
        return max(self.bytes_sent) / 8


def mpiexec_path() -> str:
    """Where ``mpiexec`` is; ``RuntimeError`` naming the packages when it or mpi4py is missing."""
    beside = Path(sys.executable).parent / "mpiexec"
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    if found is None or importlib.util.find_spec("mpi4py") is None:
        raise RuntimeError("mpi4py or mpiexec is missing; pip install mpi4py mpich")
    return found


def count_messages(
    cases: Sequence[MessageCase], *, timeout: float = 300.0
) -> tuple[MessageCount, ...]:
    """Run the cases with as many MPI processes as their grids have ranks, and count their bytes.

    Every grid must have the same number of ranks (``ValueError``). Raises ``RuntimeError`` when
    MPI is missing or the run fails, with the last line it wrote.
    """
    if len({case.ranks for case in cases}) != 1:
        raise ValueError("cases must be non-empty and share one number of ranks")
    argument = json.dumps([asdict(case) for case in cases])
    command = [
        mpiexec_path(), "-n", str(cases[0].ranks),
        sys.executable, "-m", "quire.sketching.messages", argument,
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
        raise RuntimeError(f"MPI run took more than {timeout} s; allow more time") from late
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise RuntimeError(f"MPI run failed with status {done.returncode}: {last}")
    results = json.loads(done.stdout.splitlines()[-1])
    return tuple(
        MessageCount(case, tuple(result["bytes_sent"]), result["error"])
        for case, result in zip(cases, results, strict=True)
    )
