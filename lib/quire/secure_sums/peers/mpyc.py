"""The same sum by MPyC: Shamir shares between as many processes.

MPyC is a mature framework for secure computation with passive security against fewer than half of
the parties. It starts its own processes and reads its own command line, so a sum is a program that
is run: ``python -m quire.secure_sums.peers.mpyc_party LENGTH SEED REPETITIONS -M K``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt32

from quire.ports import free_port
from quire.secure_sums.peers.mpyc_party import inputs_of


@dataclass(frozen=True)
class MpycSum:
    """What party 0 of an MPyC run reports.

    Attributes
    ----------
    seconds
        Of each repetition, from the inputs' shares to the opened sum.
    sent_bytes
        Bytes party 0 sent to all others for one sum.
    right
        Whether every opened sum equals the plain one.
    """

    seconds: tuple[float, ...]
    sent_bytes: float
    right: bool


def mpyc_sum(
    users: int, length: int, seed: int = 0, repetitions: int = 1, timeout: float = 300.0
) -> MpycSum:
    """Run secure sums of K vectors of 32-bit words by MPyC and return party 0's report.

    One session of K processes makes one sum after the other, of the same inputs.

    Raises
    ------
    RuntimeError
        When MPyC is not installed or a party fails.
    """
    command = [sys.executable, "-m", f"{__package__}.mpyc_party"]
    command += [str(length), str(seed), str(repetitions), "-M", str(users), "--no-log"]
    command += ["--base-port", str(free_port(users))]  # its default ports may be in use
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"MPyC's parties failed: {done.stderr.strip().splitlines()[-1:]}")
    told = json.loads(done.stdout.strip().splitlines()[-1])
    return MpycSum(tuple(told["seconds"]), told["sent_bytes"], told["right"])


def mpyc_inputs(users: int, length: int, seed: int) -> UInt32[np.ndarray, "K L"]:
    """Return the vectors that the parties of `mpyc_sum` put in, as machine words."""
    return np.array([inputs_of(user, length, seed) for user in range(users)], dtype=np.uint32)
