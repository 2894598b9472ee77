"""M/M/k with setup, request by request, simulated with package ``simpy``."""

import numpy as np

from quire.queueing.farm import Farm


def simpy_setup_response_time(farm: Farm, requests: int, seed: int) -> float:
    """Return the simulated mean response time of M/M/k/setup (on-off)."""
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
