"""The answer to one question: graph first, then the estimand, then the sign of its value."""

from __future__ import annotations

from dataclasses import dataclass

from quire.checks import non_negative
from quire.signatures import checked
from quire.world_model.causal.cladder._boolean import answer_boolean
from quire.world_model.causal.cladder._estimates import Estimate, estimate
from quire.world_model.causal.cladder._text import read


@dataclass(frozen=True)
class Answer:
    """An answer with what it rests on.

    Attributes
    ----------
    answer
        ``yes`` or ``no``.
    query
        The kind of question, in CLadder's own names.
    value
        The estimated difference; None where the graph alone decides.
    estimand
        What was computed.
    identified
        Whether the graph says that the printed numbers determine the answer.
    reason
        ``graph`` where a separation decides, else ``numbers``.
    """

    answer: str
    query: str
    value: float | None
    estimand: str
    identified: bool
    reason: str


@checked
def answer(text: str, deadband: float = 0.005, structure_first: bool = True) -> Answer:
    """Answer one question of CLadder from its text: background, given numbers, and question.

    Parameters
    ----------
    text
        The three parts in this order, as one text.
    deadband
        Differences of percentages up to this are no change; marginals and explaining away have
        none.
    structure_first
        Whether a separation in the graph goes before the (rounded) numbers.

    Raises
    ------
    Unreadable
        When the text does not follow a known form.
    """
    band = non_negative("deadband", deadband)
    question = read(text)
    if question.query == "det-counterfactual":
        told = answer_boolean(question)
        return Answer(
            "yes" if told else "no", question.query, float(told), "Y_{X=0}", True, "numbers"
        )
    found: Estimate = estimate(question, structure_first)
    if question.query in ("backadj", "collider_bias"):
        told = bool(found.value) == question.upward
        return Answer("yes" if told else "no", question.query, None, found.estimand, True, "graph")
    exact = question.query in ("marginal", "exp_away")
    signed = found.value if question.upward else -found.value
    yes = signed > (0.0 if exact else band)
    reason = "graph" if found.by_graph else "numbers"
    value = None if found.by_graph else found.value
    return Answer(
        "yes" if yes else "no", question.query, value, found.estimand, found.identified, reason
    )
