"""Sketching with random dense matrices: how few words must move, and who attains it.

B = A Ω on P processors, Ω random and generated wherever it is needed. Read the files in this order:

1. ``problem``: shapes and processor grids.
2. ``bounds``: the least words per processor, with and without a free operand, and for Nystrom;
   ``minimisation`` finds the same numbers numerically; ``coupled`` searches tiny instances.
3. ``grids``: cost of a grid, the best grid, words against random-number work.
4. ``normal`` and ``random_matrix``: Ω as a function of (seed, i, j).
5. ``devices`` and ``algorithms``: the sketch on a mesh.
6. ``collectives`` and ``certificates``: what a compiled program sends, beside a bound.
7. ``messages`` and ``launch``: the same algorithms under MPI, every byte counted.
8. ``nystrom``, ``accuracy``, ``spectra``: what the sketch is good for, and how good it is.
9. ``timings``: what published timings say about all this.
"""

from quire.sketching.accuracy import (
    best_nystrom_bound,
    nystrom_bound,
    range_error,
    range_finder_bound,
    truncation_error,
)
from quire.sketching.algorithms import (
    gathered_sketch,
    grid_sketch,
    input_spec,
    nystrom_products,
    sketch,
)
from quire.sketching.bounds import (
    Bound,
    classical_bound,
    free_operand_bound,
    nystrom_coupled_bound,
    nystrom_decoupled_bound,
    nystrom_words,
)
from quire.sketching.certificates import Certificate, certify
from quire.sketching.collectives import Collective, read_collectives
from quire.sketching.coupled import Optimum, enumerate_two_ranks, least_words
from quire.sketching.devices import mesh_of, request_devices
from quire.sketching.grids import (
    GridCost,
    Rates,
    fastest_grid,
    gather_hybrid,
    grid_cost,
    grids,
    optimal_grid,
    pareto_front,
)
from quire.sketching.launch import MessageCase, MessageCount, count_messages, mpiexec_path
from quire.sketching.minimisation import minimise_free_operand, minimise_nystrom_decoupled
from quire.sketching.normal import normal_from_bits
from quire.sketching.nystrom import LowRank, from_products, nystrom
from quire.sketching.problem import Grid, Shape
from quire.sketching.random_matrix import Distribution, block, key_of, threefry2x32
from quire.sketching.spectra import Spectrum, eigenvalues, matrix_of, rbf_gram
from quire.sketching.timings import (
    MessageTime,
    fit_message_time,
    fit_rates,
    flip,
    nystrom_medians,
    predict_nystrom,
    regeneration_limit,
    regeneration_speedup,
    sketch_medians,
)

__all__ = [
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
    "Optimum",
    "Rates",
    "Shape",
    "Spectrum",
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
    "gather_hybrid",
    "gathered_sketch",
    "grid_cost",
    "grid_sketch",
    "grids",
    "input_spec",
    "key_of",
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
    "nystrom_medians",
    "nystrom_products",
    "nystrom_words",
    "optimal_grid",
    "pareto_front",
    "predict_nystrom",
    "range_error",
    "range_finder_bound",
    "rbf_gram",
    "read_collectives",
    "regeneration_limit",
    "regeneration_speedup",
    "request_devices",
    "sketch",
    "sketch_medians",
    "threefry2x32",
    "truncation_error",
]
