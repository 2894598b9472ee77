"""W3C PROV-JSON: steps are activities, what they use and find entities, plans plans.

Every document stands in its element's ``aer:document`` as canonical JSON, so reading back gives
the record itself; the relations are what other tools of PROV see.
"""

from collections.abc import Callable, Mapping
from typing import Any

from quire.provenance.exchange.importers import as_object
from quire.provenance.schema.canonical import canonical_bytes, parse_json
from quire.provenance.schema.errors import Malformed
from quire.provenance.schema.records import Record, check_record
from quire.signatures import checked

_PREFIX = {"aer": "https://example.org/aer/v1#", "run": "https://example.org/aer/run/"}


@checked
def to_prov(record: Record) -> dict[str, Any]:
    """Return the record as a PROV-JSON document."""
    entity: dict[str, Any] = {"run:envelope": _held("aer:Envelope", record.envelope)}
    activity: dict[str, Any] = {}
    agent = {"run:agent": {"prov:type": _qualified("prov:SoftwareAgent")}}
    relations: dict[str, dict[str, Any]] = {
        name: {}
        for name in (
            "used", "wasGeneratedBy", "wasDerivedFrom", "wasAssociatedWith",
            "actedOnBehalfOf", "wasInvalidatedBy", "wasAttributedTo",
        )
    }  # fmt: skip

    def relate(name: str, **parts: str) -> None:
        key = f"_:{name}{len(relations[name]) + 1}"
        relations[name][key] = {f"prov:{part}": value for part, value in parts.items()}

    below = "run:agent"
    chain = (record.envelope.get("authority") or {}).get("authority_chain") or ()
    for k in range(len(chain) - 1, -1, -1):
        name = f"run:principal{k + 1}"
        agent[name] = {"aer:principal": chain[k]["principal"], "aer:type": chain[k]["type"]}
        relate("actedOnBehalfOf", delegate=below, responsible=name)
        below = name
    for plan in record.plans:
        name = f"run:plan{plan['plan_version']}"
        entity[name] = _held("aer:PlanVersion", plan) | {
            "prov:type": [_qualified("prov:Plan"), _qualified("aer:PlanVersion")]
        }
        if plan["plan_version"] > 1:
            older = f"run:plan{plan['plan_version'] - 1}"
            relate("wasDerivedFrom", generatedEntity=name, usedEntity=older)
        if plan.get("revision_trigger"):
            relate("wasGeneratedBy", entity=name, activity=_step(plan["revision_trigger"]))
    for step in record.steps:
        name = _step(step["step_id"])
        activity[name] = _held("aer:Step", step)
        relate(
            "wasAssociatedWith",
            activity=name, agent="run:agent", plan=f"run:plan{step['plan_version']}",
        )  # fmt: skip
        for field in ("intent", "observation", "inference"):
            part = f"{name}.{field}"
            entity[part] = {
                "prov:type": _qualified(f"aer:{field.title()}"),
                "aer:text": step[field],
            }
            if field == "intent":
                relate("used", activity=name, entity=part)
            else:
                relate("wasGeneratedBy", entity=part, activity=name)
        for j, _ in enumerate(step.get("tool_calls") or ()):
            output = f"{name}.output{j + 1}"
            entity[output] = {"prov:type": _qualified("aer:ToolOutput")}
            relate("wasGeneratedBy", entity=output, activity=name)
            relate("wasDerivedFrom", generatedEntity=f"{name}.observation", usedEntity=output)
    if record.verdict is not None:
        entity["run:verdict"] = _held("aer:Verdict", record.verdict)
        relate("wasAttributedTo", entity="run:verdict", agent="run:agent")
        for step_id in dict.fromkeys(record.verdict["evidence_chain"]):
            relate(
                "wasDerivedFrom",
                generatedEntity="run:verdict", usedEntity=f"{_step(step_id)}.observation",
            )  # fmt: skip
        for j, rejected in enumerate(record.verdict.get("alternatives_rejected") or ()):
            name = f"run:hypothesis{j + 1}"
            entity[name] = {"aer:hypothesis": rejected["hypothesis"]}
            relate("wasInvalidatedBy", entity=name, activity=_step(rejected["rejected_by"]))
    if record.metadata:
        entity["run:metadata"] = _held("aer:Metadata", record.metadata)
    found = {"prefix": dict(_PREFIX), "entity": entity, "agent": agent}
    if activity:
        found["activity"] = activity
    return found | {name: rows for name, rows in relations.items() if rows}


def from_prov(document: Any) -> Record:
    """Return the record that a PROV-JSON document of `to_prov` holds, checked.

    Raises
    ------
    Malformed
        When it holds none.
    """

    def held(element: Any, path: str) -> Any:
        try:
            return as_object(parse_json(element["aer:document"], path), path)
        except (KeyError, TypeError):
            raise Malformed(path, "holds no document of a record") from None

    document = as_object(document, "document")
    entities = as_object(document.get("entity") or {}, "entity")
    activities = as_object(document.get("activity") or {}, "activity")
    if "run:envelope" not in entities:
        raise Malformed("entity.run:envelope", "is missing")
    plans = [held(e, f"entity.{n}") for n, e in entities.items() if _is_plan(e)]
    steps = [held(a, f"activity.{n}") for n, a in activities.items()]
    record = Record(
        held(entities["run:envelope"], "entity.run:envelope"),
        tuple(sorted(plans, key=_place("plan_version"))),
        tuple(sorted(steps, key=_place("sequence"))),
        held(entities["run:verdict"], "entity.run:verdict") if "run:verdict" in entities else None,
        held(entities["run:metadata"], "entity.run:metadata") if "run:metadata" in entities else {},
    )
    check_record(record)
    return record


def _is_plan(element: Any) -> bool:
    """Whether an entity is a plan by its type: a step may be called anything."""
    types = element.get("prov:type") if isinstance(element, Mapping) else None
    return isinstance(types, list) and _qualified("aer:PlanVersion") in types


def _place(name: str) -> Callable[[Any], int]:
    """Return what to sort documents by; what is no number is told when the record is checked."""

    def place(document: Any) -> int:
        number = document.get(name)
        return number if isinstance(number, int) else 0

    return place


def _step(step_id: str) -> str:
    return f"run:{step_id}"


def _qualified(name: str) -> dict[str, str]:
    return {"$": name, "type": "prov:QUALIFIED_NAME"}


def _held(kind: str, document: Mapping[str, Any]) -> dict[str, Any]:
    return {"prov:type": _qualified(kind), "aer:document": canonical_bytes(document).decode()}
