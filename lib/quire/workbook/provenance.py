"""Provenance: what an executed notebook records of how it came to be."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from quire.workbook import datasets

REPORT_MIME = "application/vnd.quire.report+json"
"""Under this type the kernel hands its report over, whatever formatters a cell has installed."""

DISTRIBUTIONS = ("quire-workbook", "quire")
"""What this project is called on the package index: now, and in older installations."""


@dataclass(frozen=True)
class KernelReport:
    """What only the kernel knows at the end of a run."""

    datasets: dict[str, str]
    peak_memory_mib: float | None
    processor_seconds: float
    device: str | None

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {REPORT_MIME: dict(vars(self))}


def kernel_report() -> KernelReport:
    """Return this process's `KernelReport`, for which the driver asks after the last cell."""
    return KernelReport(
        datasets=datasets.used(),
        peak_memory_mib=_peak_memory_mib(),
        processor_seconds=round(_processor_seconds(), 1),
        device=_device(),
    )


def _processor_seconds() -> float:
    """Return the seconds of this process, of children that ended, and of all that still run."""
    import psutil

    spent = sum(os.times()[:4])
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it may end meanwhile
            times = process.cpu_times()
            spent += times.user + times.system + times.children_user + times.children_system
    return spent


def packages() -> dict[str, str]:
    """Return the installed versions of everything that this project names as a dependency."""
    itself = next((name for name in DISTRIBUTIONS if version(name) is not None), DISTRIBUTIONS[0])
    try:
        lines = metadata.requires(itself) or []
    except metadata.PackageNotFoundError:
        lines = []
    names = {re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in lines}
    versions = {name: version(name) for name in sorted(names | {itself}, key=str.lower)}
    here = {name: found for name, found in versions.items() if found is not None}
    return {"python": platform.python_version(), **here}


def version(name: str) -> str | None:
    """Return the installed version of a distribution, None when it is not installed."""
    try:
        return metadata.version(name)
    except (metadata.PackageNotFoundError, ValueError):
        return None


def git_commit(root: Path) -> str | None:
    """Return the commit of the checkout at ``root``, "+" appended when it has changes, or None.

    None, too, where ``root`` lies inside somebody else's checkout: that commit says nothing of it.
    """
    # GIT_DIR and its kin, set by a hook or a shell, would name another repository.
    environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *words],
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=True,
            timeout=20,
            env=environment,
        ).stdout.strip()

    try:
        if not Path(git("rev-parse", "--show-toplevel")).samefile(root):
            return None
        commit = git("rev-parse", "HEAD")
        changed = git("status", "--porcelain", "--", "lib", "notebooks", "data", "peers")
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


def _device() -> str | None:
    """Return what JAX computed on in this process, None when it was not used."""
    jax = sys.modules.get("jax")
    if jax is None:
        return None
    try:
        return str(jax.devices()[0].device_kind)
    except Exception:  # no backend: the chapter did without
        return None
