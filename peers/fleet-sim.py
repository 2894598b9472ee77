"""What vLLM's semantic router's own planner and simulator are asked for."""

import time
from typing import Any

import numpy as np
from calls import Arrays, call, serve


@call
def best_plan(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Plan with ``rows`` [tokens, share], and simulate each gamma at several numbers of requests.

    ``rate``, ``boundary``, ``slo_ms``, ``gammas`` and ``requests``; answers with the best gamma by
    its formulas, its GPUs, seconds of the whole optimisation, and an array ``p99_ms`` (gamma,
    number of requests): the larger of the two pools' P99 times to the first token.
    """
    from fleet_sim import A100_80GB, FleetOptimizer

    cdf = [(int(t), float(f)) for t, f in request["rows"]]
    planner = FleetOptimizer(
        gpu_short=A100_80GB,
        gpu_long=A100_80GB,
        B_short=int(request["boundary"]),
        t_slo_ms=float(request["slo_ms"]),
    )
    started = time.perf_counter()
    found = planner.optimize(cdf, float(request["rate"]), verbose=False)
    seconds = time.perf_counter() - started
    best = found.best_analytical
    by_gamma = {round(r.gamma, 3): r for r in found.analytical}
    told = np.zeros((len(request["gammas"]), len(request["requests"])))
    for i, gamma in enumerate(request["gammas"]):
        row = by_gamma[round(gamma, 3)]
        for j, n in enumerate(request["requests"]):
            seen = planner._run_des(
                cdf, float(request["rate"]), row.gamma, row.n_s, row.n_l, int(n)
            )
            told[i, j] = max(seen["p99_short_ms"], seen["p99_long_ms"])
    answer = {"gamma": best.gamma, "short": best.n_s, "long": best.n_l, "seconds": seconds}
    return answer, {"p99_ms": told}


@call
def plans_timed(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Plan by its formulas alone, eleven gammas for each rate, again and again.

    ``rows``, ``rates``, ``boundary``, ``slo_ms`` and ``rounds``; the answer has arrays ``seconds``,
    processor time of one plan by round, and ``gpus`` (rate, gamma, pool).
    """
    from fleet_sim import A100_80GB, FleetOptimizer

    cdf = [(int(t), float(f)) for t, f in request["rows"]]
    planner = FleetOptimizer(
        gpu_short=A100_80GB,
        gpu_long=A100_80GB,
        B_short=int(request["boundary"]),
        t_slo_ms=float(request["slo_ms"]),
    )
    seconds, found = [], []
    for _ in range(int(request["rounds"])):
        began = time.process_time()
        found = [planner.sweep_analytical(cdf, float(rate)) for rate in request["rates"]]
        seconds.append((time.process_time() - began) / sum(map(len, found)))
    rows = [[(r.n_s, r.n_l) for r in sorted(plans, key=lambda r: r.gamma)] for plans in found]
    return {}, {"seconds": np.array(seconds), "gpus": np.array(rows)}


@call
def utilisation(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Simulate a pool of ``gpus`` A100s by its fleet simulator; answer with utilisation and wait.

    ``rows``, ``rate``, ``window`` and ``requests``. Utilisation is busy slots over all slots, from
    the simulator's own completions: sum of (end - start) over slots x time.
    """
    from fleet_sim import A100_80GB
    from fleet_sim.core.fleet import Fleet, FleetConfig, PoolConfig
    from fleet_sim.workload.synthetic import CdfWorkload, PoissonWorkload

    rows = [(int(t), float(f)) for t, f in request["rows"]]
    source = PoissonWorkload(
        float(request["rate"]), CdfWorkload(rows), n_requests=int(request["requests"])
    )
    pool = PoolConfig("pool", A100_80GB, int(request["gpus"]), int(request["window"]))
    told = Fleet(FleetConfig([pool])).run(source.generate())
    done = told.completed
    span = max(r.end_time for r in done) - min(r.arrival_time for r in done)
    slots = int(request["gpus"]) * A100_80GB.n_slots(int(request["window"]))
    busy = sum(r.end_time - r.start_time for r in done) / (slots * span)
    return {"utilisation": busy, "wait_p99_ms": told.p99_queue_wait_ms()}, {}


if __name__ == "__main__":
    serve()
