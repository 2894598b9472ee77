"""Five questions about a run, asked of a record and of what others keep; scored mechanically."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.provenance.exchange.otel import fields_of_spans, to_spans
from quire.provenance.exchange.prov import to_prov
from quire.provenance.experiments.identifiability import extracted, rendered
from quire.provenance.schema.canonical import parse_json
from quire.provenance.schema.records import Record

QUESTIONS = (
    "why was a step made",
    "what was concluded from it",
    "which step changed the plan",
    "which steps carry the verdict",
    "which step rejected the alternative",
)
Answers = tuple[Any, Any, Any, Any, Any]


@dataclass(frozen=True)
class ExpressivenessRow:
    """A question, and the share of runs in which each representation gives the right answer."""

    question: str
    record: float
    lineage: float
    spans: float
    checkpoints: float


def expressiveness(
    records: list[Record], leak: float, styles: int, seed: int
) -> list[ExpressivenessRow]:
    """Return how often the five questions are answered rightly, about the third step of each run.

    Each reader sees one representation: the record; W3C PROV by its relations and texts alone,
    without the documents that our export carries along; spans by the GenAI conventions; messages
    as a checkpoint keeps them, whose generations state intent, conclusion, plan and evidence with
    probability ``leak`` in one of some styles.
    """
    random = np.random.default_rng(seed)
    readers: tuple[Callable[[Record], Answers], ...] = (
        _of_record,
        lambda r: _of_prov(_bare(to_prov(r))),
        lambda r: _of_spans(fields_of_spans(to_spans(r))),
        lambda r: _of_messages(messages_of(r, leak, styles, random)),
    )
    shares = np.zeros((len(readers), len(QUESTIONS)))
    for record in records:
        truth = _of_record(record)
        for j, reader in enumerate(readers):
            told = reader(record)
            shares[j] += [a == b for a, b in zip(told, truth, strict=True)]
    shares /= len(records)
    return [
        ExpressivenessRow(name, *map(float, column))
        for name, column in zip(QUESTIONS, shares.T, strict=True)
    ]


def suited(records: list[Record], count: int) -> list[Record]:
    """Return the first records on which every question has an answer."""
    found = [
        r
        for r in records
        if len(r.steps) >= 3
        and len(r.plans) >= 2
        and r.verdict
        and r.verdict["evidence_chain"]
        and r.verdict["alternatives_rejected"]
    ]
    return found[:count]


def messages_of(
    record: Record, leak: float, styles: int, random: np.random.Generator
) -> list[dict[str, Any]]:
    """Return a run as a list of messages, of which some say what was meant."""
    verdict = record.verdict or {}
    triggers = {p.get("revision_trigger") for p in record.plans}
    out: list[dict[str, Any]] = []
    for step in record.steps:
        call = step["tool_calls"][0]
        said = []
        if random.random() < leak:
            said.append(rendered(step["intent_code"], step["target"], int(random.integers(styles))))
        if step["step_id"] in triggers and random.random() < leak:
            said.append("So I change my plan." if random.integers(styles) == 0 else "Hmm, no.")
        out.append({"role": "assistant", "content": " ".join(said), "tool_calls": [call]})
        out.append({"role": "tool", "content": call["output"]})
        if random.random() < leak:
            out.append({"role": "assistant", "content": step["observation"] + "."})
    told = [verdict["root_cause_summary"]]
    if random.random() < leak:
        told.append("Evidence: " + ", ".join(verdict["evidence_chain"]))
    if random.random() < leak:
        first = verdict["alternatives_rejected"][0]
        told.append(f"{first['hypothesis']} is out since {first['rejected_by']}")
    out.append({"role": "assistant", "content": ". ".join(told)})
    return out


def _of_record(record: Record) -> Answers:
    step, verdict = record.steps[2], record.verdict or {}
    return (
        step["intent_code"],
        step["observation"],
        record.plans[1].get("revision_trigger"),
        sorted(verdict["evidence_chain"]),
        verdict["alternatives_rejected"][0]["rejected_by"],
    )


def _bare(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a PROV document without the record's own documents inside it."""
    found = {}
    for kind, elements in document.items():
        found[kind] = {
            name: {k: v for k, v in element.items() if k != "aer:document"}
            if isinstance(element, Mapping)
            else element
            for name, element in elements.items()
        }
    return found


def _of_prov(document: Mapping[str, Any]) -> Answers:
    def pairs(name: str, one: str, other: str) -> list[tuple[str, str]]:
        rows = document.get(name, {}).values()
        return [(r[f"prov:{one}"], r[f"prov:{other}"]) for r in rows]

    entities = document["entity"]
    generated = pairs("wasGeneratedBy", "entity", "activity")
    step = "run:step_003"
    intents = [
        entities[e]["aer:text"]
        for a, e in pairs("used", "activity", "entity")
        if a == step and entities[e]["prov:type"]["$"] == "aer:Intent"
    ]
    seen = [
        entities[e]["aer:text"]
        for e, a in generated
        if a == step and entities[e]["prov:type"] == {**_OBSERVATION}
    ]
    changed = [a for e, a in generated if e == "run:plan2"]
    carried = [
        e for v, e in pairs("wasDerivedFrom", "generatedEntity", "usedEntity") if v == "run:verdict"
    ]
    rejected = [a for _, a in pairs("wasInvalidatedBy", "entity", "activity")]
    return (
        _code(intents[0]) if intents else None,
        seen[0] if seen else None,
        changed[0].removeprefix("run:") if changed else None,
        sorted(e.removeprefix("run:").removesuffix(".observation") for e in carried),
        rejected[0].removeprefix("run:") if rejected else None,
    )


_OBSERVATION = {"$": "aer:Observation", "type": "prov:QUALIFIED_NAME"}


def _of_spans(told: Mapping[str, Any]) -> Answers:
    call = told["steps"][2]["tool_calls"][0]
    return (None, _restated(call), None, None, None)


def _of_messages(messages: list[dict[str, Any]]) -> Answers:
    starts = [k for k, m in enumerate(messages) if m.get("tool_calls")]
    third = messages[starts[2]]
    seen = _restated(third["tool_calls"][0])
    changed = next(
        (
            f"step_{n + 1:03d}"
            for n, k in enumerate(starts)
            if "change my plan" in messages[k]["content"]
        ),
        None,
    )
    last = messages[-1]["content"]
    evidence = re.search(r"Evidence: ((?:step_\d+(?:, )?)+)", last)
    rejected = re.search(r"is out since (step_\d+)", last)
    return (
        extracted(third["content"]),
        seen,
        changed,
        sorted(evidence[1].split(", ")) if evidence else None,
        rejected[1] if rejected else None,
    )


def _restated(call: Mapping[str, Any]) -> str:
    """Return a conclusion as an output can be restated, without what was meant by it."""
    inside, output = call.get("input"), call.get("output")
    given = parse_json(inside) if isinstance(inside, str) else inside
    result = parse_json(output) if isinstance(output, str) else output
    return f"{call['tool']} of {(given or {}).get('service')}: {(result or {}).get('says')}"


def _code(text: str) -> str | None:
    """Return the intent code that a record's intent begins with."""
    names = ("verify", "rule_out", "localise", "explain", "gather", "act", "communicate")
    return next((n for n in names if text.startswith(n.replace("_", " "))), None)
