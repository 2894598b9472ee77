"""Decentralized secure sums: everyone learns Σ W_k, and nobody anything else.

K users on a broadcast network each hold a private vector. With one-time pads that add up to zero,
every user obtains the sum, and no user learns more, not even together with T others; one symbol
sent and one key symbol per user, and K-1 key symbols in all, are the least for every protocol
(arXiv 2508.00596). This package runs the scheme, measures what any linear protocol leaks exactly,
proves the bound by linear programming with exact dual proofs, and sends real bytes between real
processes.

**To aggregate vectors inside one process** (training loops, other chapters)::

    keys = deal(users=5, length=10_000)                       # offline, by the dealer
    result = secure_sum(vectors, keys, FixedPoint(users=5))   # vectors: (5, L) floats
    result.mean

Read in this order.

1. `problems` - who hears whom, who wants which sum, who may collude; `closed_forms` - what the
   theorems say.
2. `linear` - finite fields, ranks, linear protocols, their exact leakage; the optimal scheme, and
   those for group keys, dropouts and graphs.
3. `converse` - Shannon's inequalities up to symmetry, the bound as a linear program, and its dual
   as an exact proof.
4. `aggregation` - sums of real vectors in one process.
5. `wire` - the same between processes over TCP, and what breaks it.
6. `certificates`, ``check_certificate.py`` - an instance's proof about itself, and its independent
   checker.
7. `peers` - the same sum, mask or bound by other authors' packages.
8. `experiments`, `exercises` - what chapter 07 measures, and how it checks its readers' answers.
"""

from quire.secure_sums.aggregation import DealtKeys, SecureSum, deal, secure_sum
from quire.secure_sums.certificates import Certificate, Wire, as_data, certify, save_certificate
from quire.secure_sums.closed_forms import (
    multi_server_key_rate,
    optimal_region,
    regular_graph_region,
)
from quire.secure_sums.converse.entropy_space import elemental_inequalities, entropy_space
from quire.secure_sums.converse.gaps import KeyGap, key_gap
from quire.secure_sums.converse.models import OBJECTIVES, aggregation_model, groupwise_model
from quire.secure_sums.converse.programs import (
    ConverseBound,
    converse_bound,
    converse_program,
    converse_value,
)
from quire.secure_sums.converse.proofs import ConverseProof, exact_proof, prove_converse, verify
from quire.secure_sums.errors import (
    InfeasibleError,
    KeyReuseError,
    LedgerError,
    PlatformError,
    ProtocolError,
)
from quire.secure_sums.linear._leakage import (
    Leak,
    LeakageReport,
    check_collusion,
    correct,
    leakage,
    leakage_to,
    mutual_information,
)
from quire.secure_sums.linear.brute_force import brute_force_information
from quire.secure_sums.linear.dropouts import (
    DropoutCheck,
    DropoutScheme,
    check_dropouts,
    second_round_rate,
)
from quire.secure_sums.linear.enumeration import SchemeCount, count_schemes, general_linear_order
from quire.secure_sums.linear.fields import FiniteField
from quire.secure_sums.linear.graph_schemes import best_scheme, problem_leakage, problem_protocol
from quire.secure_sums.linear.graphs import circulant, connected_graphs, named_graph, prism, ring
from quire.secure_sums.linear.groupwise import groupwise_key_rate, groupwise_protocol
from quire.secure_sums.linear.protocols import (
    LinearProtocol,
    Rates,
    complete_graph,
    one_pad_protocol,
)
from quire.secure_sums.linear.ranks import null_space, prefix_ranks, rank
from quire.secure_sums.linear.zero_sum import (
    draw_pads,
    mask,
    reused_pad_protocol,
    seeded_entropy,
    unmask,
    zero_sum_matrix,
    zero_sum_protocol,
)
from quire.secure_sums.peers.mpyc import MpycSum, mpyc_sum
from quire.secure_sums.problems import (
    AggregationProblem,
    all_coalitions,
    everyone_wants_everything,
    neighbourhood_sums,
)
from quire.secure_sums.wire.audits import MaskAudit, audit_masks
from quire.secure_sums.wire.faults import FAULTS, InjectedFault, Intruders
from quire.secure_sums.wire.fixed_point import Encoded, FixedPoint
from quire.secure_sums.wire.ledger import KeyLedger
from quire.secure_sums.wire.mesh import MeshResult, processes_supported, run_mesh
from quire.secure_sums.wire.pairwise import pair_seeds, pairwise_pad
from quire.secure_sums.wire.process import UserReport

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
    "FiniteField",
    "FixedPoint",
    "InfeasibleError",
    "InjectedFault",
    "Intruders",
    "KeyGap",
    "KeyLedger",
    "KeyReuseError",
    "Leak",
    "LeakageReport",
    "LedgerError",
    "LinearProtocol",
    "MaskAudit",
    "MeshResult",
    "MpycSum",
    "PlatformError",
    "ProtocolError",
    "Rates",
    "SchemeCount",
    "SecureSum",
    "UserReport",
    "Wire",
    "aggregation_model",
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
    "general_linear_order",
    "groupwise_key_rate",
    "groupwise_model",
    "groupwise_protocol",
    "key_gap",
    "leakage",
    "leakage_to",
    "mask",
    "mpyc_sum",
    "multi_server_key_rate",
    "mutual_information",
    "named_graph",
    "neighbourhood_sums",
    "null_space",
    "one_pad_protocol",
    "optimal_region",
    "pair_seeds",
    "pairwise_pad",
    "prefix_ranks",
    "prism",
    "problem_leakage",
    "problem_protocol",
    "processes_supported",
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
