"""Needs: whether what a claim asks for (a dataset, a peer, a program, a device) is here."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from quire.workbook import datasets, peers
from quire.workbook.cards import Claim

_APART = {
    "psitip": "pip install --no-deps psitip",
    "torch": "pip install torch",
    "torch_geometric": "pip install torch torch-geometric",
}
"""Peers that are not in the extra: too large for it, or asking for what they do not need."""


def missing(claim: Claim) -> str | None:
    """Return all of the claim's needs that are not here, in words, or None when all are.

    A condition in words ("processes > 0") is the notebook's own to check and is not looked at.
    """
    absent = [need for need in claim.needs if not _is_here(need)]
    if not absent:
        return None
    data = [need.partition(":")[2] for need in absent if need.startswith("dataset:")]
    others = [_told(need) for need in absent if not need.startswith("dataset:")]
    return "needs " + " and ".join([*([_told_datasets(data)] if data else []), *others])


def conditions(claim: Claim) -> str | None:
    """Return the conditions in words that the notebook checks by itself, or None without one."""
    words = [need for need in claim.needs if _kind(need) is None]
    return f"needs {' and '.join(words)}" if words else None


def find_program(name: str) -> str | None:
    """Return the path of a program, looked for beside this Python first, then on the PATH."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.is_file() else shutil.which(name)


def _kind(need: str) -> str | None:
    kind, sign, _ = need.partition(":")
    return kind if sign and kind in ("dataset", "package", "program", "device", "peer") else None


def _is_here(need: str) -> bool:
    name = need.partition(":")[2]
    match _kind(need):
        case "dataset":
            return datasets.available(name)
        case "package":
            return _has_package(name)
        case "program":
            return find_program(name) is not None
        case "device":
            return _has_device(name)
        case "peer":
            return name in peers.names() and peers.available(name)
        case _:
            return True


def _told(need: str) -> str:
    name = need.partition(":")[2]
    match _kind(need):
        case "package":
            how = _APART.get(name, "pip install 'quire-workbook[peers]'")
            return f"the package {name} ({how})"
        case "program":
            return f"the program {name} on the PATH"
        case "peer":
            return f"the peer {name} (quire peers install {name})"
        case _:
            return f"a {name.upper()}"


def _told_datasets(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"dataset {names[0]} (quire data fetch {names[0]})"
    return f"{len(names)} datasets, such as {names[0]} (quire data fetch)"


def _has_package(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # the package around it is not here, or is half imported
        return False


def _has_device(kind: str) -> bool:
    import jax

    try:
        return bool(jax.devices(kind))
    except RuntimeError:
        return False
