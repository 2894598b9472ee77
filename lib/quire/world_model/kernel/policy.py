"""The policy: what the kernel refuses, in a fixed order, and everything that it does not grant.

Reasons in ``THEIRS`` are those of the authors' published contract (``arya-contracts`` 0.1.0); those
in ``OURS`` name checks that the contract has no reason for.
"""

from __future__ import annotations

import math
import pathlib
from dataclasses import asdict, dataclass, field
from typing import Any

from quire.signatures import checked
from quire.world_model.errors import WorldModelError
from quire.world_model.kernel import canonical
from quire.world_model.kernel.targets import Surroundings, any_protected, kept, texts

THEIRS = (
    "prod_requires_allow_subjects",
    "prod_requires_allow_actions",
    "subject_denylist",
    "subject_not_in_allowlist",
    "action_denylist",
    "action_not_in_allowlist",
    "code_modification_requires_sio",
    "code_modification_immutable_module",
    "code_modification_immutable_function",
    "code_modification_missing_verification",
    "code_modification_verification_failed",
    "code_modification_requires_operator_attestation",
    "allowed",
)
OURS = (
    "schema",
    "fingerprint",
    "kill_switch",
    "directive",
    "capability",
    "protected_target",
    "autonomy_ceiling",
    "envelope",
    "barrier",
    "log_failure",
)
FIELDS = {"action", "run_id", "subject", "params", "params_fingerprint", "capability"}
LEVELS = 7  # autonomy A0 to A6
MODIFY = "modify_code"


@checked
@dataclass(frozen=True)
class Barrier:
    """``sum of coefficient * parameter >= at_least`` must hold for an action's parameters."""

    action: str
    coefficients: dict[str, float]
    at_least: float


@checked
@dataclass(frozen=True)
class Policy:
    """Who may do what, under which limits; nothing that is not named is allowed.

    Attributes
    ----------
    allow_subjects, deny_subjects, allow_actions, deny_actions
        Names; a denial goes first.
    levels
        The autonomy level that an action needs, 0 to 6; an action without one needs 6.
    ceiling
        The level that is granted.
    envelope
        For each action, the closed range of each numeric parameter that it must have.
    barriers
        Linear inequalities over the parameters.
    protected
        Paths to which no text in the parameters may lead, however deep and however named (see
        ``targets``); nor, for an action above level 0, to a folder that holds one.
    folders
        Folders in which devices read a relative path, beside the one in which the agent stands.
    immutable_modules
        Modules that no code modification may touch.
    operator
        The operator's public key, hexadecimal.
    exact
        Whether an action may have only the parameters that its envelope and barriers name.
    """

    allow_subjects: tuple[str, ...] = ()
    deny_subjects: tuple[str, ...] = ()
    allow_actions: tuple[str, ...] = ()
    deny_actions: tuple[str, ...] = ()
    levels: dict[str, int] = field(default_factory=dict)
    ceiling: int = 3
    envelope: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)
    barriers: tuple[Barrier, ...] = ()
    protected: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    immutable_modules: tuple[str, ...] = ("kernel", "policy", "ledger", "keys")
    operator: str = ""
    exact: bool = False

    def __post_init__(self) -> None:
        """Check levels, ranges and barriers.

        Raises
        ------
        WorldModelError
            When one is out of its range.
        """
        for name, level in [("ceiling", self.ceiling), *self.levels.items()]:
            if isinstance(level, bool) or not isinstance(level, int) or not 0 <= level < LEVELS:
                raise WorldModelError(
                    f"{name} = {level!r}: must be an integer from 0 to {LEVELS - 1}"
                )
        for action, ranges in self.envelope.items():
            for name, (low, high) in ranges.items():
                if not (math.isfinite(low) and math.isfinite(high) and low <= high):
                    raise WorldModelError(
                        f"envelope[{action}][{name}] = {low, high}: must be a range"
                    )
        for folder in self.folders:
            if not pathlib.Path(folder).is_absolute():
                raise WorldModelError(f"folders: {folder!r} must be an absolute path")
        for barrier in self.barriers:
            numbers = [*barrier.coefficients.values(), barrier.at_least]
            if not barrier.coefficients or not all(map(math.isfinite, numbers)):
                raise WorldModelError(f"barrier of {barrier.action}: must have finite coefficients")

    def to_json(self) -> dict[str, Any]:
        """Return the policy as a JSON value."""
        return asdict(self)


def from_json(value: dict[str, Any]) -> Policy:
    """Return the policy of a JSON value.

    Raises
    ------
    WorldModelError
        When a field is unknown or has the wrong form.
    """
    try:
        made = dict(value)
        for name in (
            "allow_subjects",
            "deny_subjects",
            "allow_actions",
            "deny_actions",
            "protected",
            "folders",
            "immutable_modules",
        ):
            if name in made:
                made[name] = tuple(made[name])
        made["barriers"] = tuple(Barrier(**b) for b in made.get("barriers", ()))
        made["envelope"] = {
            a: {n: (float(r[0]), float(r[1])) for n, r in ranges.items()}
            for a, ranges in made.get("envelope", {}).items()
        }
        return Policy(**made)
    except WorldModelError:
        raise
    except (TypeError, AttributeError, IndexError, KeyError, ValueError) as fault:
        raise WorldModelError(f"policy: {fault}") from fault


def decide(
    policy: Policy,
    request: Any,
    ceiling: int,
    killed: bool,
    grant: dict[str, Any] | None,
    around: Surroundings | None = None,
) -> str:
    """Return the reason of the decision, ``allowed`` where the request is granted.

    Parameters
    ----------
    policy
        The policy.
    request
        ``action``, ``run_id``, ``subject``, ``params`` (an object), ``params_fingerprint``,
        ``capability``.
    ceiling
        The autonomy level now; never above the policy's.
    killed
        Whether the kill switch has been thrown: then nothing is granted, whoever asks.
    grant
        What the capability says, None where it is not genuine.
    around
        Where the agent stands, and which files are the kernel's own.
    """
    if killed:
        return "kill_switch"
    if not isinstance(request, dict) or set(request) != FIELDS:
        return "schema"
    names = ("action", "run_id", "subject", "params_fingerprint")
    if any(not isinstance(request[n], str) or not _plain(request[n]) for n in names):
        return "schema"
    params = request["params"]
    if not isinstance(params, dict):
        return "schema"
    try:
        if canonical.fingerprint(params) != request["params_fingerprint"]:
            return "fingerprint"
    except WorldModelError:
        return "schema"
    subject, action = request["subject"], request["action"]
    if not policy.allow_subjects:
        return "prod_requires_allow_subjects"
    if not policy.allow_actions:
        return "prod_requires_allow_actions"
    if subject in policy.deny_subjects:
        return "subject_denylist"
    if subject not in policy.allow_subjects:
        return "subject_not_in_allowlist"
    if action in policy.deny_actions:
        return "action_denylist"
    if action not in policy.allow_actions:
        return "action_not_in_allowlist"
    if grant is None or grant.get("subject") != subject or action not in grant.get("actions", ()):
        return "capability"
    above = policy.levels.get(action, LEVELS - 1) > 0  # what acts may not reach it from above
    if _reaches(policy, params, above, around or Surroundings()):
        return "protected_target"
    if policy.levels.get(action, LEVELS - 1) > min(ceiling, policy.ceiling):
        return "autonomy_ceiling"
    if action == MODIFY:
        reason = _modification(policy, params)
        if reason:
            return reason
    if policy.exact and action != MODIFY:
        ruled = set(policy.envelope.get(action, {}))
        ruled |= {n for b in policy.barriers if b.action == action for n in b.coefficients}
        if not set(params) <= ruled:
            return "envelope"
    for name, (low, high) in policy.envelope.get(action, {}).items():
        if not _number(params.get(name)) or not low <= params[name] <= high:
            return "envelope"
    for barrier in policy.barriers:
        if barrier.action == action:
            values: list[Any] = [params.get(name) for name in barrier.coefficients]
            if not all(map(_number, values)):
                return "barrier"
            try:
                total = math.fsum(
                    c * v for c, v in zip(barrier.coefficients.values(), values, strict=True)
                )
            except (OverflowError, ValueError):  # beyond what a double holds
                return "barrier"
            if not total >= barrier.at_least:
                return "barrier"
    return "allowed"


def _reaches(policy: Policy, params: dict[str, Any], above: bool, around: Surroundings) -> bool:
    """Return whether a text in the parameters leads to what is protected."""
    what = kept(policy.protected)
    what = what if around.own is None else what | around.own
    folders = (*policy.folders, *around.folders)
    return any_protected(what, texts(params), above, folders)


def _modification(policy: Policy, params: dict[str, Any]) -> str | None:
    module = params.get("module")
    if params.get("by") != "sio":
        return "code_modification_requires_sio"
    if not isinstance(module, str) or not module.isascii() or not module.replace("_", "").isalnum():
        return "code_modification_immutable_module"
    if module.lower() in policy.immutable_modules:
        return "code_modification_immutable_module"
    if not isinstance(params.get("verification"), dict):
        return "code_modification_missing_verification"
    stages = ("static", "obligations", "sandbox", "regression")
    if any(params["verification"].get(stage) is not True for stage in stages):
        return "code_modification_verification_failed"
    return None


def _plain(text: str) -> bool:
    return 0 < len(text) <= 256 and text.isascii() and text.isprintable() and text == text.strip()


def _number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond every double
        return False
