"""The library on a GPU: kernels held against the processor's, and benchmarks as golden rows.

``python benchmarks/gpu.py`` (``nox -s gpu`` installs JAX for CUDA first) runs the tests marked
``gpu``, then the benchmarks of what JAX compiles, and keeps them in
``data/golden/performance/DEVICE.json``. Where JAX sees no GPU it says so in one line and ends
with 0.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
TIMED = ("aggregation", "isa", "queueing", "sketching")
"""The topics whose benchmarks run what JAX compiles."""

Run = Callable[[Sequence[str]], int]


def gpu() -> str | None:
    """Return the kind of the first GPU that JAX sees, None where there is none."""
    import jax

    try:
        return str(jax.devices("gpu")[0].device_kind)
    except RuntimeError:
        return None


def slug(kind: str) -> str:
    """Return a device's kind as the name of its record: ``NVIDIA H100`` is ``nvidia-h100``."""
    return re.sub(r"[^a-z0-9]+", "-", kind.lower()).strip("-")


def main(kind: str | None, run: Run, more: Sequence[str] = ()) -> int:
    """Run the tests on the GPU, then the benchmarks, and keep their rows.

    Parameters
    ----------
    kind
        The GPU's kind; None where there is none.
    run
        Runs a Python command and returns its exit status.
    more
        Further tests to run there, by their paths.

    Returns
    -------
    int
        The exit status: 0, also where there is no GPU, or that of the first step that failed.
    """
    if kind is None:
        print("no GPU here: nothing was run (JAX sees none)")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        session = str(Path(folder) / "session.json")
        files = [str(ROOT / "benchmarks" / f"test_{topic}.py") for topic in TIMED]
        steps = (
            ["-m", "pytest", "-q", "-m", "gpu", str(ROOT / "tests")],
            *((["-m", "pytest", "-q", *more],) if more else ()),
            ["-m", "pytest", "-q", *files, "--benchmark-json", session],
            [str(ROOT / "benchmarks" / "record.py"), session, slug(kind)],
        )
        for step in steps:
            if status := run(step):
                return status
    return 0


def _python(arguments: Sequence[str]) -> int:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(gpu(), _python, sys.argv[1:]))
