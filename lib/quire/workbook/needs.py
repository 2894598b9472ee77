"""Needs: whether what a claim asks for (a dataset, a peer, a program, a device) is here."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

from quire.workbook import datasets
from quire.workbook.cards import Claim

_APART = {
    "psitip": "pip install --no-deps psitip",
    "torch": "pip install torch",
    "torch_geometric": "pip install torch torch-geometric",
}
"""Peers that are not in the extra: too large for it, or asking for what they do not need."""


def missing(claim: Claim) -> str | None:
    """Return what of the claim's needs is not here, in words, or None when all is."""
    for need in claim.needs:
        kind, _, name = need.partition(":")
        match kind:
            case "dataset" if not datasets.available(name):
                return f"needs dataset {name} (quire data fetch {name})"
            case "package" if importlib.util.find_spec(name) is None:
                how = _APART.get(name, "pip install 'quire-workbook[peers]'")
                return f"needs the package {name} ({how})"
            case "program" if find_program(name) is None:
                return f"needs the program {name} on the PATH"
            case "device" if not _has_device(name):
                return f"needs a {name.upper()}"
    return None


def find_program(name: str) -> str | None:
    """Return the path of a program, looked for beside this Python first, then on the PATH."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.is_file() else shutil.which(name)


def _has_device(kind: str) -> bool:
    import jax

    try:
        return bool(jax.devices(kind))
    except RuntimeError:
        return False
