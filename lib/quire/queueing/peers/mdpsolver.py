"""The C++ solver of package ``mdpsolver``, in a process of its own."""

import json
import subprocess
import sys

import numpy as np
from jaxtyping import Float

from quire.queueing.decisions.semi_markov import SemiMarkov
from quire.queueing.decisions.value_iteration import UniformisedModel
from quire.queueing.peers._uniform_chain import chain_of

_MDPSOLVER = """
import json, sys, time
import mdpsolver
given = json.load(sys.stdin)
model = mdpsolver.model()
model.mdp(discount=given["discount"], rewards=given["rewards"],
          tranMatProbs=given["chances"], tranMatColumns=given["columns"])
started = time.perf_counter()
model.solve(algorithm=given["algorithm"], criterion="average", tolerance=given["tolerance"],
            parallel=False)
seconds = time.perf_counter() - started
print()
print(json.dumps({"seconds": seconds, "values": list(model.getValueVector())}))
"""


def mdpsolver_values(
    model: SemiMarkov, *, algorithm: str = "vi", tolerance: float = 1e-9
) -> tuple[Float[np.ndarray, " pre"], float]:
    """Return relative values (costs, zero in state 0) by the average criterion, and seconds.

    In a process of its own, for an invalid value ends its interpreter; it wants a discount below
    one even for the average criterion.

    Raises
    ------
    RuntimeError
        With its last words if it fails or takes more than five minutes.
    """
    step = UniformisedModel(model)
    chain = chain_of(step)
    rewards = -(step.fee + step.cost[step.choice])
    spans = list(zip(model.first[:-1], model.first[1:], strict=True))
    row = [slice(a, b) for a, b in zip(chain.indptr[:-1], chain.indptr[1:], strict=True)]
    given = {
        "discount": 0.9999,
        "algorithm": algorithm,
        "tolerance": tolerance,
        "rewards": [rewards[a:b].tolist() for a, b in spans],
        "chances": [[chain.data[row[i]].tolist() for i in range(a, b)] for a, b in spans],
        "columns": [[chain.indices[row[i]].tolist() for i in range(a, b)] for a, b in spans],
    }
    done = subprocess.run(
        [sys.executable, "-c", _MDPSOLVER],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        raise RuntimeError(f"mdpsolver ended with status {done.returncode}: {done.stderr[-300:]}")
    answer = json.loads(done.stdout.splitlines()[-1])
    values = -np.array(answer["values"])
    return values - values[0], float(answer["seconds"])
