"""The tree reduction and the histogram in OpenCL C, on the first OpenCL device (package pyopencl).

Install a device for CPUs with ``pip install pocl-binary-distribution``.
"""

from typing import Any

import numpy as np
from jaxtyping import UInt32

SOURCE = """
__kernel void sums(__global const uint *x, __global uint *out) {
    __local uint part[256];
    uint t = get_local_id(0);
    part[t] = x[get_global_id(0)];
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint span = 128; span > 0; span /= 2) {
        if (t < span) part[t] += part[t + span];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (t == 0) out[get_group_id(0)] = part[0];
}
__kernel void bins(__global const uint *x, __global uint *out) {
    __local uint part[256];
    uint t = get_local_id(0);
    part[t] = 0;
    barrier(CLK_LOCAL_MEM_FENCE);
    atomic_inc(&part[x[get_global_id(0)] & 255]);
    barrier(CLK_LOCAL_MEM_FENCE);
    atomic_add(&out[t], part[t]);
}
"""


def device() -> Any | None:
    """Return the first OpenCL device, or None."""
    import pyopencl as cl

    try:
        return cl.get_platforms()[0].get_devices()[0]
    except (cl.Error, IndexError):
        return None


def run_opencl(
    device: Any, kernel: str, data: UInt32[np.ndarray, " words"], count: int
) -> UInt32[np.ndarray, " count"]:
    """Run ``"sums"`` or ``"bins"`` on whole workgroups of 256 words; returns ``count`` words."""
    import pyopencl as cl

    context = cl.Context([device])
    queue, out = cl.CommandQueue(context), np.zeros(count, np.uint32)
    flags = cl.mem_flags.COPY_HOST_PTR
    x, y = (cl.Buffer(context, flags, hostbuf=host) for host in (data, out))
    built = cl.Program(context, SOURCE).build()
    getattr(built, kernel)(queue, (data.size,), (256,), x, y)
    cl.enqueue_copy(queue, out, y).wait()
    return out
