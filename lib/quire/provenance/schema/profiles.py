"""Domain profiles: fields of a trade beside the core, versioned apart, growing by addition only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quire.provenance.schema.errors import NonAdditiveChange, ProfileUnknown
from quire.provenance.schema.shapes import Shape, _shape, check_shape
from quire.signatures import checked


@dataclass(frozen=True)
class Profile:
    """A domain's own fields, for the steps and for the verdict.

    Attributes
    ----------
    name, version
        Such as ``rca``, 1.
    step, verdict
        Shapes of the object ``domain`` in every step and in the verdict.
    """

    name: str
    version: int
    step: Shape
    verdict: Shape


PROFILES: Mapping[tuple[str, int], Profile] = {
    (profile.name, profile.version): profile
    for profile in (
        Profile(
            "rca",
            1,
            _shape(component="text", signal="text"),
            _shape(onset="number", component="text"),
        ),
        Profile(
            "rca",
            2,
            _shape(component="text", signal="text", blast_radius="texts"),
            _shape(onset="number", component="text", recurrence_of="id"),
        ),
        Profile(
            "coding",
            1,
            _shape(files="texts", diff_lines="whole", tests_run="whole", tests_failed="whole"),
            _shape(patch="text", tests_passed="any"),
        ),
        Profile(
            "security",
            1,
            _shape(technique="text", tactic="text", indicator="text"),
            _shape(technique="text", severity="share"),
        ),
        Profile(
            "deployment",
            1,
            _shape(stage="text", region="text", rollback="any"),
            _shape(released="any", version="text"),
        ),
    )
}
"""The registered profiles by name and version."""


def find_profile(name: Any, version: Any = None, path: str = "envelope.profile") -> Profile:
    """Return a registered profile; without a version, its newest.

    Raises
    ------
    ProfileUnknown
        When there is none of that name or version.
    """
    versions = [v for n, v in PROFILES if n == name] if isinstance(name, str) else []
    wanted = max(versions, default=None) if version is None else version
    if not isinstance(wanted, int) or isinstance(wanted, bool) or wanted not in versions:
        told = ", ".join(f"{n} {v}" for n, v in PROFILES)
        which = f"{name!r}" if version is None else f"{name!r} {version!r}"
        raise ProfileUnknown(path, f"is {which[:80]}: registered are {told}")
    return PROFILES[name, wanted]


def check_domain(step: Mapping[str, Any], shape: Shape, path: str) -> None:
    """Check the object ``domain`` of a step or verdict, where there is one.

    Raises
    ------
    Malformed
        When a field of the domain is of another kind.
    """
    if step.get("domain") is not None:
        check_shape(step["domain"], shape, f"{path}.domain")


@checked
def check_additive(older: Shape, newer: Shape, path: str = "schema") -> None:
    """Check that every field of the older shape is in the newer one, as it was.

    A new field must be optional, so that older records stay valid.

    Raises
    ------
    NonAdditiveChange
        With the field that was dropped, changed, or newly demanded.
    """
    for name, field in older.items():
        if name not in newer:
            raise NonAdditiveChange(f"{path}.{name}", "is gone from the newer version")
        if newer[name] != field:
            raise NonAdditiveChange(f"{path}.{name}", f"was {field}, is {newer[name]}")
    for name, field in newer.items():
        if name not in older and field.required:
            raise NonAdditiveChange(f"{path}.{name}", "is new and required: older records lack it")
