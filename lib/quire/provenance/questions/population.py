"""A population of runs as columns: what the ten questions are asked of, as arrays and as tables."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from quire.provenance.capture.fidelity import mentions
from quire.provenance.schema.records import Record
from quire.provenance.schema.shapes import INFERENCE_CODES, INTENT_CODES
from quire.signatures import checked

NOT_CODED = -1


@dataclass(frozen=True)
class Population:
    """Runs and their steps as columns; texts are codes into the lists beside them.

    Attributes
    ----------
    ids
        Investigation ids, one per run; None where runs are only counted (simulations).
    incident, prompt, model, category
        Per run: what triggered it, versions of prompt and model, the verdict's category; -1 where
        there is none.
    confidence
        Per run; NaN without a verdict.
    right
        Per run: 1 where a review agrees with the verdict, 0 where it does not, -1 without one.
    run
        Per step: the row of its run; steps stand run by run, in order.
    place
        Per step: 1, 2, 3 inside its run.
    plan
        Per step: its plan version.
    intent, inference, tool
        Per step, codes; -1 where there is none.
    touches
        Per step: 1 where a call names the step's target, 0 where none does, -1 without a target.
    evidence, rejects
        Per step: whether it is in the evidence chain; how many alternatives it rejects.
    trigger
        Per run: the place of the step that triggered plan version 2; 0 where there is none.
    plans
        Per run: how many plan versions.
    names
        Lists of texts: ``incident, prompt, model, category, tool``.
    """

    ids: tuple[str, ...] | None
    incident: Int[np.ndarray, " runs"]
    prompt: Int[np.ndarray, " runs"]
    model: Int[np.ndarray, " runs"]
    category: Int[np.ndarray, " runs"]
    confidence: Float[np.ndarray, " runs"]
    right: Int[np.ndarray, " runs"]
    trigger: Int[np.ndarray, " runs"]
    plans: Int[np.ndarray, " runs"]
    run: Int[np.ndarray, " steps"]
    place: Int[np.ndarray, " steps"]
    plan: Int[np.ndarray, " steps"]
    intent: Int[np.ndarray, " steps"]
    inference: Int[np.ndarray, " steps"]
    tool: Int[np.ndarray, " steps"]
    touches: Int[np.ndarray, " steps"]
    evidence: Int[np.ndarray, " steps"]
    rejects: Int[np.ndarray, " steps"]
    names: Mapping[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.incident)

    def tables(self) -> dict[str, dict[str, np.ndarray]]:
        """Return the columns of the tables ``runs`` and ``steps``, texts spelled out.

        A missing code is an empty text; a missing number is -1, a missing confidence NaN.
        """
        number = np.arange(len(self))
        runs = {
            "run": number,
            "investigation_id": np.array(
                self.ids if self.ids is not None else [""] * len(self), dtype=object
            ),
            "incident": _texts(self.incident, self.names["incident"]),
            "prompt": _texts(self.prompt, self.names["prompt"]),
            "model": _texts(self.model, self.names["model"]),
            "category": _texts(self.category, self.names["category"]),
            "confidence": self.confidence,
            "correct": self.right,
            "trigger_place": self.trigger,
            "plans": self.plans,
        }
        steps = {
            "run": self.run,
            "place": self.place,
            "plan_version": self.plan,
            "intent": _texts(self.intent, INTENT_CODES),
            "inference": _texts(self.inference, INFERENCE_CODES),
            "tool": _texts(self.tool, self.names["tool"]),
            "touches_target": self.touches,
            "in_evidence": self.evidence,
            "rejects": self.rejects,
        }
        return {"runs": runs, "steps": steps}


@checked
def population(records: Iterable[Record]) -> Population:
    """Return the columns of records.

    The expert's judgement stands in ``metadata.review``: ``{"agrees": true}`` or
    ``{"root_cause_category": "A > B"}``. The incident is ``trigger.reference``, or the id.
    """
    lists: dict[str, list[str]] = {
        name: [] for name in ("incident", "prompt", "model", "category", "tool")
    }
    codes: dict[str, dict[str, int]] = {name: {} for name in lists}

    def code(name: str, text: Any) -> int:
        if text is None:
            return NOT_CODED
        known = codes[name]
        if text not in known:
            known[text] = len(lists[name])
            lists[name].append(str(text))
        return known[text]

    ids: list[str] = []
    runs: list[tuple[Any, ...]] = []
    steps: list[tuple[int, ...]] = []
    for row, record in enumerate(records):
        agent, verdict = record.envelope["agent"], record.verdict
        places = {step["step_id"]: k for k, step in enumerate(record.steps, 1)}
        second = next((p for p in record.plans if p["plan_version"] == 2), {})
        ids.append(record.id)
        runs.append(
            (
                code("incident", record.envelope["trigger"].get("reference") or record.id),
                code("prompt", agent.get("prompt_version")),
                code("model", agent["model"]),
                code("category", None if verdict is None else verdict["root_cause_category"]),
                np.nan if verdict is None else float(verdict["confidence"]),
                _review(record),
                places.get(second.get("revision_trigger"), 0),
                len(record.plans),
            )
        )
        chain = set() if verdict is None else set(verdict["evidence_chain"])
        rejected = [] if verdict is None else (verdict.get("alternatives_rejected") or ())
        counts: dict[str, int] = {}
        for one in rejected:
            counts[one["rejected_by"]] = counts.get(one["rejected_by"], 0) + 1
        for k, step in enumerate(record.steps, 1):
            calls, target = step.get("tool_calls") or (), step.get("target")
            steps.append(
                (
                    row,
                    k,
                    step["plan_version"],
                    _of(INTENT_CODES, step.get("intent_code")),
                    _of(INFERENCE_CODES, step.get("inference_code")),
                    code("tool", calls[0]["tool"] if calls else None),
                    NOT_CODED
                    if not target
                    else int(any(mentions(call, str(target)) for call in calls)),
                    int(step["step_id"] in chain),
                    counts.get(step["step_id"], 0),
                )
            )
    run_columns = [np.array(c) for c in zip(*runs, strict=True)] if runs else [_NONE] * 8
    step_columns = [np.array(c) for c in zip(*steps, strict=True)] if steps else [_NONE] * 9
    run_columns[4] = run_columns[4].astype(float)
    names = {k: tuple(v) for k, v in lists.items()}
    columns: list[Any] = [tuple(ids), *run_columns, *step_columns, names]
    return Population(*columns)


_NONE = np.zeros(0, np.int64)


def _review(record: Record) -> int:
    review = record.metadata.get("review")
    if record.verdict is None or not isinstance(review, Mapping):
        return NOT_CODED
    if isinstance(review.get("agrees"), bool):
        return int(review["agrees"])
    if isinstance(review.get("root_cause_category"), str):
        said, held = record.verdict["root_cause_category"], review["root_cause_category"]
        return int(_levels(said) == _levels(held))
    return NOT_CODED


def _levels(category: str) -> list[str]:
    return [level.strip().casefold() for level in category.split(">")]


def _of(vocabulary: tuple[str, ...], text: Any) -> int:
    return vocabulary.index(text) if text in vocabulary else NOT_CODED


def _texts(codes: np.ndarray, names: Iterable[str]) -> np.ndarray:
    spelled = np.array([*names, ""], dtype=object)
    return spelled[codes]
