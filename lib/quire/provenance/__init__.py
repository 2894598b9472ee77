"""Records of what autonomous agents did and why: kept whole, checked, chained, asked, replayed.

An agent execution record holds, beside every tool call, what the call was for, what was concluded
from its output, and which steps carry the verdict. A record is written while the agent works::

    import tempfile
    from quire.provenance import population, read_folder, start_investigation, verify_folder
    from quire.provenance import QUESTIONS

    root = tempfile.mkdtemp()
    with start_investigation(root, "DB-1", {"source": "alarm"}, {"model": "m-1"}) as run:
        run.log_plan("is the listener up?")
        step = run.log_step("rule out DNS", "resolves", "not DNS", intent_code="rule_out")
        head = run.record_verdict("Network > Listener", 0.9, evidence=[step])
    verify_folder(run.folder, head).intact                       # True
    QUESTIONS["steps_to_verdict"](population([read_folder(run.folder)]))

Read in this order:

1. ``schema``: strict and canonical JSON (``canonical``), fields (``shapes``), domain profiles
   (``profiles``), the record (``records``), rules between its documents (``rules``), secrets
   (``redaction``), what is refused (``errors``).
2. ``chain``: a chain of hashes with its head (``hash_chain``); proofs are :mod:`quire.merkle`'s.
3. ``stores``: folders of JSON lines (``writer``, ``jsonl``), SQLite (``sqlite``; DuckDB in
   ``peers``), eviction with tombstones (``retention``). ``capture``: the recorder
   (``investigation``), reported against intercepted calls (``fidelity``).
4. ``exchange``: spans and what they lose (``otel``), W3C PROV (``prov``), four corpora
   (``importers``), Inspect's logs (``inspect_logs``).
5. ``questions``: columns (``population``), ten questions (``functions``, ``sql``), what corpora say
   (``corpora``). ``calibration``, ``patterns``.
6. ``replay``: recorded outputs served again (``mock``), runs compared (``alignment``).
7. ``worlds``: incidents of known truth (``rca``), agents in them (``agents``), their records
   (``recording``). ``bounds``: what any decoder recovers (``information``, ``observers``).
8. ``peers``; ``experiments``: what the chapter measures; ``exercises``: its exercises'
   checks, and ``givens``, what they give.
"""

from quire.merkle import (
    consistency_proof,
    inclusion_proof,
    merkle_root,
    verify_consistency,
    verify_inclusion,
)
from quire.provenance.bounds.information import (
    bayes_accuracy,
    fano_accuracy_bound,
    fano_error_bound,
    information_bits,
    krippendorff_alpha,
    recovered_share,
    witness,
)
from quire.provenance.bounds.observers import SmallAgent
from quire.provenance.calibration.recalibration import (
    apply_temperature,
    corp,
    fit_temperature,
    isotonic,
)
from quire.provenance.calibration.scores import (
    brier_score,
    expected_calibration_error,
    log_score,
    murphy,
    reliability,
)
from quire.provenance.capture.fidelity import (
    intent_action_consistency,
    rationalised_share,
    reconcile,
)
from quire.provenance.capture.investigation import Investigation, recorded, start_investigation
from quire.provenance.chain.hash_chain import Entry, Head, Verification, chain, head_of, verify
from quire.provenance.exchange.importers import (
    from_openrca,
    from_swe_agent,
    from_tau_bench,
    from_who_and_when,
)
from quire.provenance.exchange.inspect_logs import from_inspect, read_samples
from quire.provenance.exchange.otel import lost_fields, to_spans
from quire.provenance.exchange.prov import from_prov, to_prov
from quire.provenance.patterns.contrast import benjamini_hochberg, contrast
from quire.provenance.patterns.sequences import directly_follows, frequent_sequences, variants
from quire.provenance.questions.corpora import pass_hat_k
from quire.provenance.questions.functions import QUESTIONS
from quire.provenance.questions.population import Population, population
from quire.provenance.questions.sql import SQL
from quire.provenance.replay.alignment import align, compare_runs, wilson_interval
from quire.provenance.replay.mock import RecordedTools, mock_replay
from quire.provenance.schema.canonical import Limits, canonical_bytes, parse_json
from quire.provenance.schema.errors import (
    AuthorityExceeded,
    ConfidenceRange,
    DanglingReference,
    DuplicateKey,
    EnvelopeSealed,
    Malformed,
    NonAdditiveChange,
    PlanVersionGap,
    ProfileUnknown,
    RecordClosed,
    RecordError,
    ReplayMiss,
    SequenceOrder,
    UnsafeIdentifier,
)
from quire.provenance.schema.profiles import PROFILES, Profile, check_additive
from quire.provenance.schema.records import Record, check_record, parse_record, problems
from quire.provenance.schema.redaction import Redaction
from quire.provenance.stores.jsonl import (
    read_folder,
    read_record,
    read_store,
    read_verified,
    recover,
    verify_folder,
)
from quire.provenance.stores.retention import to_evict
from quire.provenance.stores.sqlite import ask, sqlite_reader, sqlite_store
from quire.provenance.stores.writer import RecordWriter
from quire.provenance.worlds.agents import replay, simulate
from quire.provenance.worlds.rca import World

__all__ = [
    "PROFILES",
    "QUESTIONS",
    "SQL",
    "AuthorityExceeded",
    "ConfidenceRange",
    "DanglingReference",
    "DuplicateKey",
    "Entry",
    "EnvelopeSealed",
    "Head",
    "Investigation",
    "Limits",
    "Malformed",
    "NonAdditiveChange",
    "PlanVersionGap",
    "Population",
    "Profile",
    "ProfileUnknown",
    "Record",
    "RecordClosed",
    "RecordError",
    "RecordWriter",
    "RecordedTools",
    "Redaction",
    "ReplayMiss",
    "SequenceOrder",
    "SmallAgent",
    "UnsafeIdentifier",
    "Verification",
    "World",
    "align",
    "apply_temperature",
    "ask",
    "bayes_accuracy",
    "benjamini_hochberg",
    "brier_score",
    "canonical_bytes",
    "chain",
    "check_additive",
    "check_record",
    "compare_runs",
    "consistency_proof",
    "contrast",
    "corp",
    "directly_follows",
    "expected_calibration_error",
    "fano_accuracy_bound",
    "fano_error_bound",
    "fit_temperature",
    "frequent_sequences",
    "from_inspect",
    "from_openrca",
    "from_prov",
    "from_swe_agent",
    "from_tau_bench",
    "from_who_and_when",
    "head_of",
    "inclusion_proof",
    "information_bits",
    "intent_action_consistency",
    "isotonic",
    "krippendorff_alpha",
    "log_score",
    "lost_fields",
    "merkle_root",
    "mock_replay",
    "murphy",
    "parse_json",
    "parse_record",
    "pass_hat_k",
    "population",
    "problems",
    "rationalised_share",
    "read_folder",
    "read_record",
    "read_samples",
    "read_store",
    "read_verified",
    "reconcile",
    "recorded",
    "recover",
    "recovered_share",
    "reliability",
    "replay",
    "simulate",
    "sqlite_reader",
    "sqlite_store",
    "start_investigation",
    "to_evict",
    "to_prov",
    "to_spans",
    "variants",
    "verify",
    "verify_consistency",
    "verify_folder",
    "verify_inclusion",
    "wilson_interval",
    "witness",
]
