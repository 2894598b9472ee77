"""What speaks for a diagnosis, in lines that a person can check."""

from collections.abc import Sequence

from quire.self_healing.action.cases import Case
from quire.self_healing.action.scorer import Diagnosis
from quire.signatures import checked


@checked
def proof_lines(case: Case, diagnosis: Diagnosis, cases: Sequence[Case], level: float) -> list[str]:
    """Return the proof of one diagnosis: probability, the graph's edges, three supporting cases.

    Parameters
    ----------
    case
        The case in question.
    diagnosis
        Its diagnosis.
    cases
        All cases of its system, in the library's order.
    level
        The level of noise.
    """
    lines = [f"root {diagnosis.root}, probability {diagnosis.probabilities[diagnosis.root]:.2f}"]
    lines.append(f"action {diagnosis.action or 'none: no support has this root'}")
    strongest = sorted(case.view(level).edges, key=lambda e: (-abs(e.weight), e.source, e.target))
    for edge in strongest[:3]:
        relation = edge.relation or "causes"
        lines.append(f"edge {edge.source} -> {edge.target} ({relation}, weight {edge.weight:.2f})")
    if not strongest:
        lines.append("edge none in the evidence")
    lines += [f"case {cases[k].name} had the same root" for k in diagnosis.supports]
    if not diagnosis.supports:
        lines.append("case none: the root rests on its frequency")
    return lines
