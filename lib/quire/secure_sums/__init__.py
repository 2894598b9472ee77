"""Decentralized secure sums: everyone learns Σ W_k, and nobody anything else.

K users on a broadcast network each hold a private vector. With one-time pads that add up to zero,
every user obtains the sum, and no user learns more, not even together with T others; one symbol
sent and one key symbol per user, and K-1 key symbols in all, are the least for every protocol
(arXiv 2508.00596). This package runs the scheme, measures what any linear protocol leaks exactly,
proves the bound by machine, and sends real bytes between real processes.

**To aggregate vectors inside one process** (training loops, other chapters)::

    keys = deal(users=5, length=10_000)                       # offline, by the dealer
    result = secure_sum(vectors, keys, FixedPoint(users=5))   # vectors: (5, L) floats
    result.mean

Read in this order.

1. `fields`, `ranks` - F_q, and ranks of many matrices at once.
2. `protocols`, `zero_sum` - linear protocols, and the optimal scheme.
3. `leakage`, `brute_force` - what a coalition learns, by rank and by enumeration.
4. `scheme_search` - all scalar-linear schemes, counted.
5. `entropy_space`, `converse`, `proofs` - Shannon's inequalities up to symmetry, the bound as a
   linear program, and its dual as an exact proof.
6. `closed_forms`, `groupwise`, `dropouts`, `explorer` - the family of theorems, and one engine for
   any graph and collusion structure.
7. `fixed_point`, `ledger`, `aggregation` - real numbers, keys used once, sums in one process.
8. `frames`, `node`, `mesh`, `faults` - the same between processes over TCP, and what breaks it.
9. `pairwise`, `audits`, `mpyc_peer` - seeded masks of deployed systems and what they are worth as
   keys; the same sum by a mature framework.
10. `certificates`, ``check_certificate.py`` - an instance's proof about itself, and its independent
    checker.
"""

from quire.secure_sums.aggregation import DealtKeys, SecureSum, deal, secure_sum
from quire.secure_sums.audits import MaskAudit, audit_masks
from quire.secure_sums.brute_force import brute_force_information
from quire.secure_sums.certificates import Certificate, Wire, as_data, certify, save_certificate
from quire.secure_sums.closed_forms import (
    multi_server_key_rate,
    optimal_region,
    regular_graph_region,
)
from quire.secure_sums.converse import (
    OBJECTIVES,
    ConverseBound,
    converse_bound,
    converse_program,
    converse_value,
)
from quire.secure_sums.dropouts import (
    DropoutCheck,
    DropoutScheme,
    check_dropouts,
    second_round_rate,
)
from quire.secure_sums.entropy_space import (
    AggregationProblem,
    all_coalitions,
    elemental_inequalities,
    entropy_space,
    everyone_wants_everything,
    neighbourhood_sums,
)
from quire.secure_sums.errors import InfeasibleError, KeyReuseError, ProtocolError
from quire.secure_sums.explorer import (
    Exploration,
    best_scheme,
    circulant,
    connected_graphs,
    explore,
    prism,
    problem_leakage,
    problem_protocol,
    ring,
)
from quire.secure_sums.faults import FAULTS
from quire.secure_sums.fields import FiniteField
from quire.secure_sums.fixed_point import Encoded, FixedPoint
from quire.secure_sums.groupwise import groupwise_key_rate, groupwise_protocol
from quire.secure_sums.leakage import (
    Leak,
    LeakageReport,
    check_collusion,
    correct,
    leakage,
    leakage_to,
    mutual_information,
)
from quire.secure_sums.ledger import KeyLedger
from quire.secure_sums.mesh import MeshResult, Misbehaviour, UserReport, run_mesh
from quire.secure_sums.mpyc_peer import MpycSum, mpyc_sum
from quire.secure_sums.pairwise import pairwise_pad
from quire.secure_sums.proofs import ConverseProof, exact_proof, prove_converse, verify
from quire.secure_sums.protocols import LinearProtocol, Rates, complete_graph, one_pad_protocol
from quire.secure_sums.ranks import prefix_ranks, rank
from quire.secure_sums.scheme_search import SchemeCount, count_schemes, general_linear_order
from quire.secure_sums.zero_sum import (
    draw_pads,
    mask,
    reused_pad_protocol,
    seeded_entropy,
    unmask,
    zero_sum_matrix,
    zero_sum_protocol,
)

__all__ = [
    "FAULTS",
    "OBJECTIVES",
    "AggregationProblem",
    "Certificate",
    "ConverseBound",
    "ConverseProof",
    "DealtKeys",
    "DropoutCheck",
    "DropoutScheme",
    "Encoded",
    "Exploration",
    "FiniteField",
    "FixedPoint",
    "InfeasibleError",
    "KeyLedger",
    "KeyReuseError",
    "Leak",
    "LeakageReport",
    "LinearProtocol",
    "MaskAudit",
    "MeshResult",
    "Misbehaviour",
    "MpycSum",
    "ProtocolError",
    "Rates",
    "SchemeCount",
    "SecureSum",
    "UserReport",
    "Wire",
    "all_coalitions",
    "as_data",
    "audit_masks",
    "best_scheme",
    "brute_force_information",
    "certify",
    "check_collusion",
    "check_dropouts",
    "circulant",
    "complete_graph",
    "connected_graphs",
    "converse_bound",
    "converse_program",
    "converse_value",
    "correct",
    "count_schemes",
    "deal",
    "draw_pads",
    "elemental_inequalities",
    "entropy_space",
    "everyone_wants_everything",
    "exact_proof",
    "explore",
    "general_linear_order",
    "groupwise_key_rate",
    "groupwise_protocol",
    "leakage",
    "leakage_to",
    "mask",
    "mpyc_sum",
    "multi_server_key_rate",
    "mutual_information",
    "neighbourhood_sums",
    "one_pad_protocol",
    "optimal_region",
    "pairwise_pad",
    "prefix_ranks",
    "prism",
    "problem_leakage",
    "problem_protocol",
    "prove_converse",
    "rank",
    "regular_graph_region",
    "reused_pad_protocol",
    "ring",
    "run_mesh",
    "save_certificate",
    "second_round_rate",
    "secure_sum",
    "seeded_entropy",
    "unmask",
    "verify",
    "zero_sum_matrix",
    "zero_sum_protocol",
]
