"""Run an action table with PyTorch's own pipelining runtime, on CPU processes over gloo.

PyTorch lives in an environment of its own: its interpreter is given by path and runs
``torch_worker.py``, one process per rank, which talk to us through files.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from quire.pipeline.schedules.action_tables import read_actions

WORKER = Path(__file__).with_name("torch_worker.py")


@dataclass(frozen=True)
class RuntimeRun:
    """What PyTorch's runtime did with a table.

    ``difference`` is the largest absolute difference between the pipelined gradients and those of
    the same layers in one process, ``gradient`` the largest gradient, ``wrong`` the difference that
    a microbatch left out would make (so that a small difference means something).
    """

    version: str
    ranks: int
    stages: int
    microbatches: int
    difference: float
    gradient: float
    wrong: float


def run_table(text: str, *, python: str, seed: int = 0, timeout: float = 240.0) -> RuntimeRun:
    """Execute a table of whole microbatches, as :func:`write_actions` writes it.

    ``python`` is the interpreter of an environment with PyTorch. One process per rank is started on
    this machine and ended again.

    Raises
    ------
    ValueError
        If the table is malformed or ``timeout`` is not positive.
    RuntimeError
        If PyTorch refuses the table or does not finish in time; its last words are repeated.
    """
    if not timeout > 0:
        raise ValueError(f"timeout = {timeout}: give a positive number of seconds")
    ranks = read_actions(text).ranks
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "actions.csv").write_text(text)
        errors = [place / f"{rank}.log" for rank in range(ranks)]
        command = [python, "-P", str(WORKER), folder, str(ranks), str(seed)]
        processes = []
        deadline = time.monotonic() + timeout
        try:
            for rank, log in enumerate(errors):
                with log.open("w") as stream:
                    processes.append(
                        subprocess.Popen([*command, str(rank)], stdout=stream, stderr=stream)
                    )
            for process in processes:
                process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"PyTorch did not run the table within {timeout:g} s") from None
        finally:
            for process in processes:
                process.kill()
                process.wait()
        for process, log in zip(processes, errors, strict=True):
            if process.returncode:
                words = log.read_text(errors="replace").strip()[-400:]
                raise RuntimeError(f"PyTorch did not run the table: {words}")
        found = [json.loads((place / f"{rank}.json").read_text()) for rank in range(ranks)]
    worst = {
        name: max(float(rank[name]) for rank in found)
        for name in ("difference", "gradient", "wrong")
    }
    first = found[0]
    return RuntimeRun(first["version"], ranks, first["stages"], first["microbatches"], **worst)
