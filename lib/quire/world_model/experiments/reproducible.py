"""The same work in other processes, on one core and on two: what keeps its bits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import quire

KEPT = ("free run", "exact solve", "energy-keeping run", "population")
CONTROL = "a running sum, cut by cores"
_WORK = r"""
import json, os, sys
cores = int(sys.argv[1])
if hasattr(os, "sched_setaffinity"):
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, allowed[:cores] if len(allowed) >= cores else range(cores))
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(cores)
import numpy as np
from quire.world_model.experiments.reproducible import hashes
print(json.dumps(hashes(cores)))
"""


@dataclass(frozen=True)
class Kept:
    """A piece of work, and its distinct hashes over all processes."""

    work: str
    processes: int
    hashes: int


def hashes(cores: int) -> dict[str, str]:
    """Return the hash of each piece of work, done here; the control is cut into ``cores`` sums."""
    import numpy as np

    from quire.world_model.composition.discrete_gradient import simulate
    from quire.world_model.determinism import state_hash
    from quire.world_model.experiments.physics import coupled
    from quire.world_model.learning.output_error import free_run
    from quire.world_model.learning.statistics import solve, statistics
    from quire.world_model.nano.population import random_population

    rng = np.random.default_rng(0)
    theta = np.array([1.4, -0.6, 0.05, 0.02, 0.01, 0.0, -0.05, 0.01, 0.001])
    u, x = rng.normal(size=20_000), rng.normal(size=(5_000, 8))
    parts = np.array_split(rng.normal(size=1_000_000), cores)
    run = simulate(coupled(), np.array([1.0, 0.0, 0.5, 0.0, 0.0]), np.zeros((500, 0)), 0.05)
    return {
        "free run": state_hash(free_run(theta, u, u)),
        "exact solve": state_hash(
            solve(statistics(x, x @ np.arange(1.0, 9.0) + 0.1 * rng.normal(size=5000)))
        ),
        "energy-keeping run": state_hash(run.states),
        "population": state_hash(random_population(5_000, 0).run(50)),
        CONTROL: state_hash(np.array(sum(float(part.cumsum()[-1]) for part in parts))),
    }


def kept() -> list[Kept]:
    """Return how many hashes each piece of work has, here and in a process with fewer cores.

    Where this process may use one core alone, the other is given two.
    """
    library = str(Path(quire.__file__).resolve().parent.parent)
    environment = {**os.environ, "PYTHONPATH": library}
    here = len(getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0))
    found = [hashes(here)]
    told = subprocess.run(
        [sys.executable, "-c", _WORK, str(1 if here > 1 else 2)],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
        timeout=300,
    )
    found.append(json.loads(told.stdout.splitlines()[-1]))
    return [Kept(name, len(found), len({f[name] for f in found})) for name in (*KEPT, CONTROL)]
