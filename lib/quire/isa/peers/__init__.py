"""The same kernels run by somebody else: `opencl` (a CPU device), `numba_cuda` (a simulator)."""
