"""The same kernels in OpenCL C (PoCL), CUDA Python (numba's simulator) and, with a GPU, Pallas."""

import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from quire.isa import Launch, assemble, kernels, run

LANES = 1024
DATA = np.random.default_rng(7).integers(0, 2**32, 1024, dtype=np.uint32)

OPENCL = """
__kernel void reduce_local(__global const uint *x, __global uint *out) {
    __local uint part[256];
    uint t = get_local_id(0);
    part[t] = x[get_global_id(0)];
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint span = get_local_size(0) / 2; span > 0; span /= 2) {
        if (t < span) part[t] += part[t + span];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (t == 0) out[get_group_id(0)] = part[0];
}
__kernel void histogram(__global const uint *x, __global uint *out) {
    __local uint bins[256];
    uint t = get_local_id(0);
    bins[t] = 0;
    barrier(CLK_LOCAL_MEM_FENCE);
    atomic_inc(&bins[x[get_global_id(0)] & 255]);
    barrier(CLK_LOCAL_MEM_FENCE);
    atomic_add(&out[t], bins[t]);
}
"""

CUDA = """
import numpy as np
from numba import cuda, uint32
x = np.random.default_rng(7).integers(0, 2**32, 1024, dtype=np.uint32)[:256]

@cuda.jit
def reduce_local(x, out):
    part = cuda.shared.array(64, uint32)
    t = cuda.threadIdx.x
    part[t] = x[cuda.blockIdx.x * cuda.blockDim.x + t]
    cuda.syncthreads()
    half = cuda.blockDim.x // 2
    while half > 0:
        if t < half:
            part[t] += part[t + half]
        cuda.syncthreads()
        half //= 2
    if t == 0:
        out[cuda.blockIdx.x] = part[0]

out = np.zeros(4, np.uint32)
reduce_local[4, 64](x, out)
print(*out)
"""


def ours(text, out, count, launch):
    memory = np.zeros(4096, np.uint32)
    memory[:1024] = DATA
    return run(assemble(text).kernel(), launch, memory, lanes=LANES).memory[
        out // 4 : out // 4 + count
    ]


def test_local_memory_barriers_and_atomics_as_an_opencl_device_runs_them():
    cl = pytest.importorskip("pyopencl")
    platforms = cl.get_platforms()
    if not platforms:
        pytest.skip("no OpenCL platform: pip install pocl-binary-distribution")
    context = cl.Context(platforms[0].get_devices()[:1])
    queue = cl.CommandQueue(context)
    program = cl.Program(context, OPENCL).build()
    flags = cl.mem_flags
    source = cl.Buffer(context, flags.READ_ONLY | flags.COPY_HOST_PTR, hostbuf=DATA)
    launch = Launch((4, 1, 1), (256, 1, 1), 16)
    for name, text, count in (
        ("reduce_local", kernels.reduce_local(8192), 4),
        ("histogram", kernels.histogram(8192), 256),
    ):
        result = np.zeros(count, np.uint32)
        target = cl.Buffer(context, flags.READ_WRITE | flags.COPY_HOST_PTR, hostbuf=result)
        getattr(program, name)(queue, (1024,), (256,), source, target)
        cl.enqueue_copy(queue, result, target).wait()
        assert np.array_equal(result, ours(text, 8192, count, launch)), name


def test_the_reduction_as_numbas_cuda_simulator_runs_it():
    pytest.importorskip("numba")
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CUDA], env=environment, capture_output=True, text=True, check=True
    )
    launch = Launch((4, 1, 1), (64, 1, 1), 32)
    assert [int(word) for word in done.stdout.split()] == list(
        ours(kernels.reduce_local(8192), 8192, 4, launch)
    )


def test_the_sum_of_two_vectors_as_a_gpu_runs_it():
    try:
        device = jax.devices("gpu")[0]
    except RuntimeError:
        pytest.skip("no GPU")
    from jax.experimental import pallas as pl

    def kernel(a, b, out):
        out[...] = a[...] + b[...]

    a, b = np.random.default_rng(8).random((2, 1000), dtype=np.float32)
    with jax.default_device(device):
        added = pl.pallas_call(kernel, out_shape=jax.ShapeDtypeStruct((1000,), np.float32))(a, b)
    memory = np.concatenate([a, b, np.zeros(1000, np.float32)]).view(np.uint32)
    got = run(
        assemble(kernels.vadd(1000)).kernel(), Launch((8, 1, 1), (128, 1, 1)), memory, lanes=LANES
    )
    assert np.array_equal(got.memory[2000:].view(np.float32), np.asarray(added))
