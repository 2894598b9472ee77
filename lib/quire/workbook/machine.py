"""The machine's arithmetic: what makes the last digits of a number differ between two runs."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from pathlib import Path
from typing import Any

# Variables that choose other instructions, other kernels or another number of threads.
_STEERING = ("XLA_FLAGS", "NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES")
_STEERING_PREFIXES = ("OPENBLAS_", "OMP_", "MKL_", "JAX_", "NUMBA_")
# Of these, what changes no digit: how long idle threads wait, and where compiled programs are kept.
_HARMLESS = ("OPENBLAS_THREAD_TIMEOUT", "JAX_COMPILATION_CACHE", "JAX_PERSISTENT_CACHE")
_VECTOR = ("sse4", "avx", "fma", "f16c", "amx", "neon", "asimd", "sve")


def arithmetic() -> dict[str, Any]:
    """Return what the digits of a computation may depend on, besides versions of packages.

    Returns
    -------
    dict
        ``processor`` its make; ``instructions`` its vector extensions, sorted; ``cores`` that this
        process may use; ``settings`` the environment variables that steer numerical libraries.
    """
    make, flags = _processor()
    settings = {
        name: value
        for name, value in os.environ.items()
        if (name in _STEERING or name.startswith(_STEERING_PREFIXES))
        and not name.startswith(_HARMLESS)
    }
    settings.setdefault("JAX_ENABLE_X64", "1")  # as the library sets it, unless JAX came first
    return {
        "processor": make,
        "instructions": " ".join(sorted(f for f in flags if f.startswith(_VECTOR))),
        "cores": _cores(),
        "settings": dict(sorted(settings.items())),
    }


def _processor() -> tuple[str, set[str]]:
    make, flags = platform.processor() or platform.machine(), set[str]()
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            match name.strip():
                case "model name":
                    make = value.strip()
                case "flags" | "Features":
                    flags = set(value.split())
                    break
    return make, flags


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
