"""The same sum by MPyC: Shamir shares between as many processes.

MPyC is a mature framework for secure computation with passive security against fewer than half of
the parties. It starts its own processes and reads its own command line, so a sum is a program run:
``python -m quire.secure_sums.peers.mpyc LENGTH SEED -M K``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

PRIME = 2**61 - 1


@dataclass(frozen=True)
class MpycSum:
    """What party 0 of an MPyC run reports.

    Attributes
    ----------
    seconds
        From the inputs' shares to the opened sum.
    sent_bytes
        Bytes party 0 sent to all others.
    right
        Whether the opened sum equals the plain one.
    """

    seconds: float
    sent_bytes: int
    right: bool


def mpyc_sum(users: int, length: int, seed: int = 0, timeout: float = 300.0) -> MpycSum:
    """Run one secure sum of K vectors of 32-bit words by MPyC and return party 0's report.

    Raises
    ------
    RuntimeError
        When MPyC is not installed or a party fails.
    """
    module = f"{__package__}.mpyc"
    command = [sys.executable, "-m", module, str(length), str(seed), "-M", str(users), "--no-log"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"MPyC's parties failed: {done.stderr.strip().splitlines()[-1:]}")
    return MpycSum(**json.loads(done.stdout.strip().splitlines()[-1]))


def inputs_of(user: int, length: int, seed: int) -> np.ndarray:
    """Return the 32-bit words that a party puts in."""
    return np.random.default_rng((seed, user)).integers(0, 2**32, length).astype(object)


async def _party(length: int, seed: int) -> None:
    runtime: Any = import_module("mpyc.runtime").mpc  # it reads the command line when imported
    field = runtime.SecFld(modulus=PRIME)
    await runtime.start()
    users = len(runtime.parties)
    mine = field.array(field.field.array(inputs_of(runtime.pid, length, seed)))
    started = time.perf_counter()
    shared = runtime.input(mine)
    total = shared[0]
    for other in shared[1:]:
        total = total + other
    opened = await runtime.output(total)
    seconds = time.perf_counter() - started
    expected = sum(inputs_of(user, length, seed) for user in range(users))
    sent = sum(p.protocol.nbytes_sent for p in runtime.parties if p.pid != runtime.pid)
    await runtime.shutdown()
    if runtime.pid == 0:
        right = bool((np.asarray(opened.value) == expected).all())
        print(json.dumps({"seconds": seconds, "sent_bytes": sent, "right": right}))


if __name__ == "__main__":
    import_module("mpyc.runtime").mpc.run(_party(int(sys.argv[1]), int(sys.argv[2])))
