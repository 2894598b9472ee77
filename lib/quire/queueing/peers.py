"""The same problems handed to other people's solvers and simulators.

Every package is imported where it is used: none of them is needed for anything else here.
"""

import json
import subprocess
import sys

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from quire.queueing.closed_forms import erlang_c
from quire.queueing.semi_markov import SemiMarkov
from quire.queueing.system import Farm
from quire.queueing.value_iteration import UniformisedModel


def _chain(step: UniformisedModel) -> sp.csr_matrix:
    """Transition probabilities of every decision, self-loops included."""
    rows = np.arange(len(step.loop))
    loops = sp.csr_array((step.loop, (rows, step.stay)), shape=step.moves.shape)
    return sp.csr_matrix((step.moves + loops)[step.choice])


class QuantEconProblem:
    """QuantEcon's ``DiscreteDP`` over the uniformised chain; it discounts, so compare policies.

    Its value times ``1 - discount`` is far from the average cost; its policy is not.
    """

    def __init__(self, model: SemiMarkov, discount: float):
        from quantecon.markov import DiscreteDP

        step = UniformisedModel(model)
        rewards = -(step.fee + step.cost[step.choice])
        self.first = model.first
        numbers = np.concatenate([np.arange(count) for count in np.diff(model.first)])
        self.problem = DiscreteDP(rewards, _chain(step), discount, step.owner, numbers)

    def decisions(self, method: str = "policy_iteration") -> Int[np.ndarray, " pre"]:
        """The optimal decision of each state, as an index into the model's decisions."""
        return self.first[:-1] + np.asarray(self.problem.solve(method=method).sigma, dtype=int)


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
    """Relative values (costs, zero in state 0) by mdpsolver's average criterion, and its seconds.

    In a process of its own, for an invalid value ends its interpreter; it wants a discount below
    one even for the average criterion. Raises ``RuntimeError`` with its last words if it fails.
    """
    step = UniformisedModel(model)
    chain = _chain(step)
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
    )
    if done.returncode:
        raise RuntimeError(f"mdpsolver ended with status {done.returncode}: {done.stderr[-300:]}")
    answer = json.loads(done.stdout.splitlines()[-1])
    values = -np.array(answer["values"])
    return values - values[0], float(answer["seconds"])


def toolbox_cost(
    transitions: Float[np.ndarray, "actions states states"],
    costs: Float[np.ndarray, "states actions"],
) -> float:
    """Average cost per step by pymdptoolbox's relative value iteration."""
    from mdptoolbox.mdp import RelativeValueIteration

    solver = RelativeValueIteration(transitions, -costs, epsilon=1e-10, max_iter=10_000)
    solver.run()
    return -float(solver.average_reward)


def toolbox_forest() -> tuple[
    Float[np.ndarray, "actions states states"], Float[np.ndarray, "states actions"]
]:
    """Pymdptoolbox's own example, a forest that is felled or left to grow, as costs."""
    from mdptoolbox.example import forest

    transitions, rewards = forest()
    return np.asarray(transitions), -np.asarray(rewards)


def ciw_waiting_probability(farm: Farm, requests: int, seed: int) -> tuple[float, float]:
    """Share of requests that wait in M/M/K simulated by ciw, and Erlang's C formula."""
    import ciw

    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(farm.arrival_rate)],
        service_distributions=[ciw.dists.Exponential(farm.service_rate)],
        number_of_servers=[farm.servers],
    )
    ciw.seed(seed)
    run = ciw.Simulation(network)
    run.simulate_until_max_customers(requests)
    waits = np.array([record.waiting_time for record in run.get_all_records()])
    return float((waits > 0).mean()), erlang_c(farm.servers, farm.offered_load)


def simpy_setup_response_time(farm: Farm, requests: int, seed: int) -> float:
    """Mean response time of M/M/k/setup (on-off), request by request, simulated with simpy."""
    import simpy

    rng = np.random.default_rng(seed)
    env = simpy.Environment()
    queue: list[float] = []
    setups: list[simpy.Process] = []
    servers = {"active": 0}
    times: list[float] = []

    def adjust():  # type: ignore[no-untyped-def]
        wanted = min(len(queue), farm.servers - servers["active"])
        while len(setups) < wanted:
            setups.append(env.process(setup()))
        while len(setups) > wanted:
            setups.pop().interrupt()

    def setup():  # type: ignore[no-untyped-def]
        try:
            yield env.timeout(rng.exponential(1 / farm.setup_rate))
        except simpy.Interrupt:
            return
        setups.remove(env.active_process)  # type: ignore[arg-type]
        servers["active"] += 1
        env.process(serve())

    def serve():  # type: ignore[no-untyped-def]
        while queue:
            arrived = queue.pop(0)
            adjust()
            yield env.timeout(rng.exponential(1 / farm.service_rate))
            times.append(env.now - arrived)
        servers["active"] -= 1
        adjust()

    def arrivals():  # type: ignore[no-untyped-def]
        for _ in range(requests):
            yield env.timeout(rng.exponential(1 / farm.arrival_rate))
            queue.append(env.now)
            adjust()

    env.process(arrivals())
    env.run()
    return float(np.mean(times[requests // 20 :]))
