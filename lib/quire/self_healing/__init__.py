"""Self-healing from logs: templates, causal graphs under priors, diagnoses that may abstain.

An edge node reads log lines, keeps a sparse causal graph, and proposes a root and a recovery
action; a language model would be asked only where it abstains, and none is called here::

    from quire.self_healing import Perception, conformal_threshold, induce, prediction_set, score

    lines = ["disk 7 failed on node-3", "disk 12 failed on node-9", "retry of job 4 in 20 ms"]
    parse = induce(lines)
    parse.templates        # ('disk <*> failed on node-<*>', 'retry of job <*> in <*> ms')
    seen = Perception(lines[:1], ["disk <*> failed on node-<*>"], theta=0.5)
    seen.perceive(["the disk 8 failed on node-5"])[0].route  # 'reference'
    score(parse.groups, parse.line_templates, [0, 0, 1], parse.line_templates).ga  # 1.0
    q = conformal_threshold([0.1, 0.2, 0.4, 0.3], alpha=0.4)      # 0.3
    prediction_set({"disk": 0.75, "network": 0.25}, q)            # ('disk',)

Read in this order:

1. ``perception``: tables and headers (``readers``), masks (``masking``), the inducer
   (``induction``), metrics that are never mixed (``metrics``), semantic noise (``noise``), tf-idf
   and the paper's lexical score (``retrieval``), the three routes (``routes``).
2. ``reasoning``: simulated processes and how edges are judged (``structures``), masked DYNOTEARS in
   JAX (``dynotears``) and as its authors solve it (``lbfgs``), PC (``_pc``), a Hawkes model of
   counts (``hawkes``), priors, the merged graph and ranks of roots (``priors``).
3. ``action``: labelled windows (``cases``), the calibrated scorer (``scorer``), conformal sets and
   abstaining (``conformal``), the place of a language model (``diagnosers``), proofs (``proof``).
4. ``leakage``: which cases may support which. ``routing``: what leaves the node.
5. ``peers``; ``experiments``: what the chapter measures; ``exercises``: its exercises'
   checks, and ``givens``, what they give.

Discovery and the Hawkes model need JAX and load when they are first asked for: reading logs does
without it.
"""

from typing import TYPE_CHECKING

from quire.later import loaded_later
from quire.self_healing.action.cases import Case, EvidenceEdge, View, read_cases
from quire.self_healing.action.conformal import abstains, conformal_threshold, prediction_set
from quire.self_healing.action.diagnosers import (
    Diagnoser,
    Proposal,
    Replay,
    ask,
    evidence_of,
    fingerprint,
    parse_proposal,
)
from quire.self_healing.action.proof import proof_lines
from quire.self_healing.action.scorer import (
    Diagnosis,
    Library,
    Scorer,
    diagnose,
    fit_scorer,
    library_of,
    reachability,
    root_probabilities,
)
from quire.self_healing.leakage import (
    allowed_support,
    names_the_answer,
    same_evidence,
    thinned_support,
)
from quire.self_healing.perception.induction import Parse, induce
from quire.self_healing.perception.masking import mask
from quire.self_healing.perception.metrics import (
    Scores,
    grouping_accuracy,
    loose_template,
    normalise_template,
    parsing_accuracy,
    score,
)
from quire.self_healing.perception.noise import add_noise
from quire.self_healing.perception.readers import Log, read_log, strip_header
from quire.self_healing.perception.retrieval import fit_vectoriser, lexical_score, similarities
from quire.self_healing.perception.routes import Perceived, Perception, route_counts
from quire.self_healing.reasoning._pc import Pattern, pc
from quire.self_healing.reasoning.priors import (
    Edge,
    Prior,
    corrupt_priors,
    edges_of,
    merge_edges,
    penalty_mask,
    root_rank,
)
from quire.self_healing.reasoning.structures import (
    EdgeScores,
    Process,
    acyclic_part,
    distinct_columns,
    edge_scores,
    is_acyclic,
    simulate_process,
    standardised,
)
from quire.self_healing.routing import Traffic, count_traffic

if TYPE_CHECKING:
    from quire.self_healing.reasoning.dynotears import (
        Discovery,
        Problem,
        discover,
        discovery_problem,
    )
    from quire.self_healing.reasoning.hawkes import Excitation, fit_hawkes, simulate_hawkes
    from quire.self_healing.reasoning.lbfgs import cyclicity, discover_by_lbfgs

__all__ = [
    "Case", "Diagnoser", "Diagnosis", "Discovery", "Edge", "EdgeScores", "EvidenceEdge",
    "Excitation", "Library", "Log", "Parse", "Pattern", "Perceived", "Perception", "Prior",
    "Problem", "Process", "Proposal", "Replay", "Scorer", "Scores", "Traffic", "View", "abstains",
    "acyclic_part", "add_noise", "allowed_support", "ask", "conformal_threshold", "corrupt_priors",
    "count_traffic", "cyclicity", "diagnose", "discover", "discover_by_lbfgs", "discovery_problem",
    "distinct_columns", "edge_scores", "edges_of", "evidence_of", "fingerprint", "fit_hawkes",
    "fit_scorer", "fit_vectoriser", "grouping_accuracy", "induce", "is_acyclic", "lexical_score",
    "library_of", "loose_template", "mask", "merge_edges", "names_the_answer",
    "normalise_template", "parse_proposal", "parsing_accuracy", "pc", "penalty_mask",
    "prediction_set", "proof_lines", "reachability", "read_cases", "read_log", "root_probabilities",
    "root_rank", "route_counts", "same_evidence", "score", "similarities", "simulate_hawkes",
    "simulate_process", "standardised", "strip_header", "thinned_support",
]  # fmt: skip

_LATER = {
    "reasoning.dynotears": ("Discovery", "Problem", "discover", "discovery_problem"),
    "reasoning.hawkes": ("Excitation", "fit_hawkes", "simulate_hawkes"),
    "reasoning.lbfgs": ("cyclicity", "discover_by_lbfgs"),
}

__getattr__ = loaded_later(__name__, _LATER)
