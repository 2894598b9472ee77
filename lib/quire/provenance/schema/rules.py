"""What must hold between the documents of a record: references, order, plans, authority."""

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from quire.provenance.schema.errors import (
    AuthorityExceeded,
    DanglingReference,
    PlanVersionGap,
    RecordError,
    SequenceOrder,
)

Document = Mapping[str, Any]


def reference_problems(
    envelope: Document,
    plans: Sequence[Document],
    steps: Sequence[Document],
    verdict: Document | None,
    first: bool = False,
) -> list[RecordError]:
    """Return every broken rule between documents whose shapes hold.

    Parameters
    ----------
    envelope, plans, steps, verdict
        The documents of one record.
    first
        Stop at the first.
    """
    found: list[RecordError] = []
    for problem in _problems(envelope, plans, steps, verdict):
        found.append(problem)
        if first:
            break
    return found


def permitted(
    tool: str, scope: Sequence[str], permissions: Mapping[str, Any] | None = None
) -> bool:
    """Return whether a scope permits a tool.

    A scope is a list of names of tools, with ``*`` as a wildcard, or of permissions; a map from
    tools to the permission that each needs may stand beside it (``authority.tool_permissions``).
    A permission such as ``call:dns`` names the tool ``dns``; ``read:logs`` permits every tool whose
    name has the word logs, unless another word of it says that it changes something.
    """
    wanted = [tool]
    if permissions and isinstance(permissions.get(tool), str):
        wanted.append(permissions[tool])
    for entry in scope:
        parts = [entry, *(entry.split(":", 1) if ":" in entry else ())]
        if any(fnmatchcase(name, part) for name in wanted for part in parts if part not in _VERBS):
            return True
        if len(parts) > 1 and _is_about(tool, entry):
            return True
    return False


def _is_about(tool: str, permission: str) -> bool:
    """Whether a tool's words hold all that a permission names, and change no more than it."""
    mine, theirs = _words(tool), _words(permission)
    things = theirs - _VERBS - _CHANGES
    return bool(things) and things <= mine and (mine & _CHANGES) <= (theirs & _CHANGES)


def _words(name: str) -> set[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()
    return {word.rstrip("s") or word for word in re.findall(r"[a-z0-9]+", spaced)}


_VERBS = frozenset(
    {"call", "execute", "get", "invoke", "list", "query", "read", "run", "tool", "use", "view", ""}
)
_CHANGES = frozenset(
    (
        "apply",
        "create",
        "delete",
        "deploy",
        "drop",
        "exec",
        "insert",
        "kill",
        "modify",
        "patch",
        "purge",
        "put",
        "reboot",
        "remove",
        "restart",
        "rm",
        "scale",
        "send",
        "set",
        "shutdown",
        "start",
        "stop",
        "truncate",
        "update",
        "write",
    )
)


def _problems(
    envelope: Document,
    plans: Sequence[Document],
    steps: Sequence[Document],
    verdict: Document | None,
) -> Iterator[RecordError]:
    yield from _authority(envelope.get("authority") or {})
    places: dict[str, int] = {}
    for k, step in enumerate(steps):
        if step["step_id"] in places:
            yield SequenceOrder(f"steps[{k}].step_id", f"{step['step_id']!r} is given twice")
        places.setdefault(step["step_id"], k)
    yield from _plans(plans, steps, places)
    yield from _steps(envelope, plans, steps, places)
    if verdict is not None:
        yield from _verdict(verdict, places)


def _authority(authority: Document) -> Iterator[RecordError]:
    """Scopes may only shrink along the chain of delegation, root first."""
    above: list[str] | None = None
    for k, principal in enumerate(authority.get("authority_chain") or ()):
        scope = principal.get("permissions_scope")
        if scope is None:
            continue
        if above is not None:
            yield from _widened(
                scope, above, f"envelope.authority.authority_chain[{k}].permissions_scope"
            )
        above = scope
    last = authority.get("permissions_scope")
    if last is not None and above is not None:
        yield from _widened(last, above, "envelope.authority.permissions_scope")


def _widened(scope: Sequence[str], above: Sequence[str], path: str) -> Iterator[RecordError]:
    for j, entry in enumerate(scope):
        # a wildcard is inside a scope only where a wildcard that covers it stands there
        if not any(entry == wide or fnmatchcase(entry, wide) for wide in above):
            yield AuthorityExceeded(
                f"{path}[{j}]", f"{entry!r} is not within the delegator's scope"
            )


def _plans(
    plans: Sequence[Document], steps: Sequence[Document], places: Mapping[str, int]
) -> Iterator[RecordError]:
    for k, plan in enumerate(plans):
        version = plan["plan_version"]
        if version != k + 1:
            yield PlanVersionGap(f"plans[{k}].plan_version", f"is {version}: must be {k + 1}")
        supersedes = plan.get("supersedes")
        if supersedes is not None and supersedes != version - 1:
            yield PlanVersionGap(
                f"plans[{k}].supersedes", f"is {supersedes}: must be {version - 1}"
            )
        trigger = plan.get("revision_trigger")
        if trigger is None:
            continue
        if trigger not in places:
            yield DanglingReference(f"plans[{k}].revision_trigger", f"{trigger!r} names no step")
        elif steps[places[trigger]]["plan_version"] >= version:
            yield SequenceOrder(
                f"plans[{k}].revision_trigger",
                f"{trigger!r} is a step of plan {steps[places[trigger]]['plan_version']}: "
                "must be of an older plan",
            )


def _steps(
    envelope: Document,
    plans: Sequence[Document],
    steps: Sequence[Document],
    places: Mapping[str, int],
) -> Iterator[RecordError]:
    versions = {plan["plan_version"]: plan.get("revision_trigger") for plan in plans}
    authority = envelope.get("authority") or {}
    scope = authority.get("permissions_scope")
    permissions = authority.get("tool_permissions")
    permissions = permissions if isinstance(permissions, Mapping) else None
    last = -1
    for k, step in enumerate(steps):
        if step["sequence"] <= last:
            yield SequenceOrder(
                f"steps[{k}].sequence", f"is {step['sequence']} after {last}: must rise"
            )
        last = step["sequence"]
        version = step["plan_version"]
        if version not in versions:
            yield DanglingReference(f"steps[{k}].plan_version", f"{version} names no plan")
        elif places.get(str(versions[version]), -1) >= k:
            yield SequenceOrder(
                f"steps[{k}].plan_version",
                f"is {version}, a plan that step {versions[version]!r} triggers later",
            )
        if scope is not None:
            for j, call in enumerate(step.get("tool_calls") or ()):
                if not permitted(call["tool"], scope, permissions):
                    yield AuthorityExceeded(
                        f"steps[{k}].tool_calls[{j}].tool", f"{call['tool']!r} is not permitted"
                    )


def _verdict(verdict: Document, places: Mapping[str, int]) -> Iterator[RecordError]:
    for j, step_id in enumerate(verdict["evidence_chain"]):
        if step_id not in places:
            yield DanglingReference(f"verdict.evidence_chain[{j}]", f"{step_id!r} names no step")
    for j, rejected in enumerate(verdict.get("alternatives_rejected") or ()):
        if rejected["rejected_by"] not in places:
            yield DanglingReference(
                f"verdict.alternatives_rejected[{j}].rejected_by",
                f"{rejected['rejected_by']!r} names no step",
            )
