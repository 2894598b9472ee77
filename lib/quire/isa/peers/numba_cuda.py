"""The tree reduction in CUDA Python, under numba's simulator in a process of its own."""

import os
import subprocess
import sys

import numpy as np
from jaxtyping import UInt32

_PROGRAM = """
import sys
import numpy as np
from numba import cuda, uint32

@cuda.jit
def sums(x, out):
    part, t, span = cuda.shared.array(64, uint32), cuda.threadIdx.x, 32
    part[t] = x[cuda.blockIdx.x * 64 + t]
    cuda.syncthreads()
    while span > 0:
        if t < span:
            part[t] += part[t + span]
        cuda.syncthreads()
        span //= 2
    if t == 0:
        out[cuda.blockIdx.x] = part[0]

out = np.zeros(4, np.uint32)
sums[4, 64](np.array(sys.argv[1:], np.uint32), out)
print(*out)
"""


def run_simulated(data: UInt32[np.ndarray, "256"]) -> UInt32[np.ndarray, "4"]:
    """Sum four workgroups of 64 words under the simulator; takes a few seconds."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *map(str, data.tolist())],
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return np.array(done.stdout.split(), np.uint32)
