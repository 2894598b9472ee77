"""Our kernels as WAVE assembly, with the sizes as arguments.

Each function returns text; addresses are bytes in device memory. The patterns are the usual ones: a
guarded map (`maps`), tree and butterfly reductions (`reductions`), a privatised histogram
(`histograms`), a tiled product (`products`), scans (`scans`), and small kernels to step by
(`demonstrations`).
"""

from quire.isa.kernels.demonstrations import demonstration
from quire.isa.kernels.histograms import histogram
from quire.isa.kernels.maps import collatz, vadd
from quire.isa.kernels.products import gemm
from quire.isa.kernels.reductions import reduce_local, reduce_shuffle, reduction
from quire.isa.kernels.scans import scan

__all__ = [
    "collatz",
    "demonstration",
    "gemm",
    "histogram",
    "reduce_local",
    "reduce_shuffle",
    "reduction",
    "scan",
    "vadd",
]
