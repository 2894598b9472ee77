"""One party of a secure sum by MPyC, as a program: LENGTH SEED REPETITIONS, then MPyC's options.

Party 0 prints what `quire.secure_sums.peers.mpyc.MpycSum` holds.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

WORD = 2**32


def inputs_of(user: int, length: int, seed: int) -> np.ndarray:
    """Return the 32-bit words that a party puts in."""
    return np.random.default_rng((seed, user)).integers(0, WORD, length).astype(object)


async def _party(length: int, seed: int, repetitions: int) -> None:
    """One party's whole session."""
    runtime: Any = import_module("mpyc.runtime").mpc  # it reads the command line when imported
    users = len(runtime.parties)
    # the smallest prime field in which no sum of so many words wraps around
    field = runtime.SecFld(modulus=int(import_module("mpyc.gmpy").next_prime(users * (WORD - 1))))
    await runtime.start()
    mine = inputs_of(runtime.pid, length, seed)
    expected = sum(inputs_of(user, length, seed) for user in range(users))
    seconds, right = [], True
    for _ in range(repetitions):
        started = time.perf_counter()
        shared = runtime.input(field.array(field.field.array(mine)))
        total = shared[0]
        for other in shared[1:]:
            total = total + other
        opened = await runtime.output(total)
        seconds.append(time.perf_counter() - started)
        right &= bool((np.asarray(opened.value) == expected).all())
    sent = sum(p.protocol.nbytes_sent for p in runtime.parties if p.pid != runtime.pid)
    await runtime.shutdown()
    if runtime.pid == 0:
        report = {"seconds": seconds, "sent_bytes": sent / repetitions, "right": right}
        print(json.dumps(report))


if __name__ == "__main__":
    # MPyC starts the other parties by this file's path: its folder, which holds an mpyc.py of ours,
    # must not be searched for MPyC itself
    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != here]
    import_module("mpyc.runtime").mpc.run(_party(*(int(word) for word in sys.argv[1:4])))
