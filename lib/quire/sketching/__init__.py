"""Sketching with random dense matrices: how few words must be sent, and who sends no more.

B = A Ω on P processors, Ω random and generated wherever it is needed. Read in this order:

1. ``problem``: shapes and processor grids.
2. ``bounds``: the least words per processor, with and without a free operand
   (``sketch_bounds``) and for Nystrom (``nystrom_bounds``); ``minimisation`` finds the same
   numbers numerically, ``assignments`` searches tiny instances; ``processor_grids`` holds the cost
   of a grid, the best grid, and words against random-number work.
3. ``random_matrix``: Ω as a function of (seed, i, j): bits and blocks (``blocks``), Gaussian
   numbers (``normal``).
4. ``programs``: the sketch on a mesh (``devices``, ``algorithms``), and what a compiled program
   sends, beside a bound (``collectives``, ``computations``, ``certificates``).
5. ``messages``: the same algorithms out of point-to-point messages, every byte counted.
6. ``accuracy``: Nystrom (``_nystrom``), test matrices (``spectra``), errors and their bounds.
7. ``timings``: what published timings say about all this (``published``, ``fits``).
8. ``peers``: MPI, scikit-learn and dask; ``experiments``: what the chapter measures, as functions;
   ``exercises``: the answers to its exercises.
"""

from quire.sketching.accuracy._nystrom import LowRank, from_products, nystrom
from quire.sketching.accuracy.errors import (
    best_nystrom_bound,
    nystrom_bound,
    range_error,
    range_finder_bound,
    truncation_error,
)
from quire.sketching.accuracy.spectra import Spectrum, eigenvalues, matrix_of, rbf_gram
from quire.sketching.bounds.assignments import (
    AssignmentOptimum,
    enumerate_two_ranks,
    least_words,
)
from quire.sketching.bounds.minimisation import (
    minimise_free_operand,
    minimise_nystrom_decoupled,
)
from quire.sketching.bounds.nystrom_bounds import (
    nystrom_coupled_bound,
    nystrom_decoupled_bound,
    nystrom_words,
)
from quire.sketching.bounds.processor_grids import (
    GridCost,
    Rates,
    fastest_grid,
    grid_cost,
    grids,
    optimal_grid,
    pareto_front,
    regeneration_limit,
)
from quire.sketching.bounds.sketch_bounds import Bound, classical_bound, free_operand_bound
from quire.sketching.messages import MessageCase, MessageCount
from quire.sketching.peers.mpi4py import count_messages, mpiexec_path
from quire.sketching.problem import Grid, Shape
from quire.sketching.programs.algorithms import (
    gathered_sketch,
    grid_sketch,
    input_spec,
    nystrom_products,
    partitioned_sketch,
    sketch,
)
from quire.sketching.programs.certificates import Certificate, certify
from quire.sketching.programs.collectives import Collective, read_collectives
from quire.sketching.programs.devices import mesh_of, request_devices
from quire.sketching.random_matrix.blocks import Distribution, block, key_of, threefry2x32
from quire.sketching.random_matrix.normal import normal_from_bits
from quire.sketching.timings.fits import MessageTime, fit_message_time, fit_rates, flip
from quire.sketching.timings.published import (
    NystromTiming,
    Scaling,
    SketchTiming,
    Speedup,
    least_speedup,
    nystrom_timings,
    sketch_timings,
    speedups,
    strong_scaling,
)

__all__ = [
    "AssignmentOptimum",
    "Bound",
    "Certificate",
    "Collective",
    "Distribution",
    "Grid",
    "GridCost",
    "LowRank",
    "MessageCase",
    "MessageCount",
    "MessageTime",
    "NystromTiming",
    "Rates",
    "Scaling",
    "Shape",
    "SketchTiming",
    "Spectrum",
    "Speedup",
    "best_nystrom_bound",
    "block",
    "certify",
    "classical_bound",
    "count_messages",
    "eigenvalues",
    "enumerate_two_ranks",
    "fastest_grid",
    "fit_message_time",
    "fit_rates",
    "flip",
    "free_operand_bound",
    "from_products",
    "gathered_sketch",
    "grid_cost",
    "grid_sketch",
    "grids",
    "input_spec",
    "key_of",
    "least_speedup",
    "least_words",
    "matrix_of",
    "mesh_of",
    "minimise_free_operand",
    "minimise_nystrom_decoupled",
    "mpiexec_path",
    "normal_from_bits",
    "nystrom",
    "nystrom_bound",
    "nystrom_coupled_bound",
    "nystrom_decoupled_bound",
    "nystrom_products",
    "nystrom_timings",
    "nystrom_words",
    "optimal_grid",
    "pareto_front",
    "partitioned_sketch",
    "range_error",
    "range_finder_bound",
    "rbf_gram",
    "read_collectives",
    "regeneration_limit",
    "request_devices",
    "sketch",
    "sketch_timings",
    "speedups",
    "strong_scaling",
    "threefry2x32",
    "truncation_error",
]
