"""Provenance: what an executed notebook records of how it came to be."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from quire.workbook import datasets


@dataclass(frozen=True)
class KernelReport:
    """What only the kernel knows at the end of a run."""

    datasets: dict[str, str]
    peak_memory_mib: float | None


def kernel_report() -> dict[str, Any]:
    """Return this process's `KernelReport` as plain data; the driver asks the kernel for it."""
    return vars(KernelReport(datasets=datasets.used(), peak_memory_mib=_peak_memory_mib()))


def packages() -> dict[str, str]:
    """Return the installed versions of everything that quire names as a dependency."""
    names = {
        re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]
        for line in metadata.requires("quire") or ()
    }
    found = {"python": platform.python_version()}
    for name in sorted(names | {"quire"}, key=str.lower):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_commit(root: Path) -> str | None:
    """Return the commit of the checkout at ``root``, "+" appended when it has changes, or None."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, check=True, timeout=20
        ).stdout.strip()

    try:
        commit = git("rev-parse", "HEAD")
        changed = git("status", "--porcelain", "--", "lib", "notebooks", "data/registry.toml")
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+" if changed else "")


def _peak_memory_mib() -> float | None:
    try:
        import resource
    except ImportError:  # Windows has no such accounting
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)
