"""The one place where a language model could be asked; nothing here calls one.

A diagnoser takes the evidence as JSON and answers in JSON. What it answers is checked; whatever is
no valid answer counts as abstaining. Recorded answers can be replayed.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from quire.self_healing.action.cases import View
from quire.signatures import checked


@runtime_checkable
class Diagnoser(Protocol):
    """Something that proposes a root and an action."""

    def propose(self, evidence: str) -> str:
        """Return a JSON object with root_label, action_label, reasoning and confidence."""
        ...


@dataclass(frozen=True)
class Proposal:
    """A checked answer.

    Attributes
    ----------
    root, action
        Labels from the book, empty when abstaining.
    confidence
        From 0 to 1.
    fault
        Why the answer counts as abstaining, empty where it does not.
    """

    root: str
    action: str
    confidence: float
    fault: str = ""


@dataclass(frozen=True)
class Replay:
    """A diagnoser that repeats recorded answers, each found by the evidence's fingerprint."""

    answers: Mapping[str, str]

    def propose(self, evidence: str) -> str:
        """Return what was recorded for this evidence.

        Raises
        ------
        LookupError
            For evidence that no answer was recorded for.
        """
        key = fingerprint(evidence)
        if key not in self.answers:
            raise LookupError(f"evidence = {key[:12]}: no answer was recorded for it")
        return self.answers[key]


@checked
def fingerprint(evidence: str) -> str:
    """Return the SHA-256 of the evidence, under which an answer is recorded."""
    return hashlib.sha256(evidence.encode()).hexdigest()


@checked
def evidence_of(view: View, template: str, candidates: Mapping[str, float], edges: int = 3) -> str:
    """Return what would be sent: alert, template, candidate roots and the strongest edges.

    The window's lines stay at home.
    """
    strongest = sorted(view.edges, key=lambda e: (-abs(e.weight), e.source, e.target))[:edges]
    facts = [[e.source, e.target, e.relation, round(e.weight, 3)] for e in strongest]
    shares = {name: round(float(p), 3) for name, p in sorted(candidates.items())}
    sent = {"alert": view.alert, "template": template, "candidates": shares, "graph": facts}
    return json.dumps(sent, sort_keys=True, separators=(",", ":"))


@checked
def parse_proposal(answer: str, roots: Collection[str], actions: Collection[str]) -> Proposal:
    """Return a diagnoser's answer, checked against the label book; never raises for its content."""
    try:
        found = json.loads(answer)
    except (TypeError, ValueError, RecursionError):
        return Proposal("", "", 0.0, "no JSON")
    if not isinstance(found, dict):
        return Proposal("", "", 0.0, "no JSON object")
    root, action = found.get("root_label"), found.get("action_label")
    if not isinstance(root, str) or root not in roots:
        return Proposal("", "", 0.0, f"root_label {str(root)[:40]!r} is not in the label book")
    if not isinstance(action, str) or action not in actions:
        return Proposal("", "", 0.0, f"action_label {str(action)[:40]!r} is not in the label book")
    confidence = found.get("confidence")
    if isinstance(confidence, bool) or not isinstance(confidence, int | float):
        return Proposal("", "", 0.0, "confidence is no number")
    if not 0 <= confidence <= 1:
        return Proposal("", "", 0.0, "confidence is no number from 0 to 1")
    return Proposal(root, action, float(confidence))


@checked
def ask(
    diagnoser: Diagnoser, evidence: str, roots: Collection[str], actions: Collection[str]
) -> Proposal:
    """Ask a diagnoser; abstain where it has no answer or an invalid one."""
    try:
        answer = diagnoser.propose(evidence)
    except LookupError as fault:
        return Proposal("", "", 0.0, str(fault))
    return parse_proposal(answer, roots, actions)
