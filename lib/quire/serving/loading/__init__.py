"""Loading: requests whose cache lies far away, and engines that fetch it before they compute.

How many of a thousand requests have their first token in time, if 90 % of each prompt must come
over a network of 6 GB/s, in the order of what an engine knows that thinks of computing alone, and
of one that counts the loading::

    from quire.serving.loading import LoadingCosts, capacity, engine, random_requests, serve

    costs = LoadingCosts(net_bytes_per_s=6e9, copy_bytes_per_s=24e9)
    requests = random_requests(1000, tokens=15_000, hit=0.9, seed=1)
    rate = 0.9 * capacity(requests, costs).decoupled
    requests = requests.retimed(rate, seed=1).due_after(costs, factor=5.0, floor_s=1.0)
    served = {name: serve(requests, costs, engine("E2"), name)
              for name in ("fifo", "sjf_compute", "sjf_total")}
    served["sjf_total"].attainment, served["sjf_total"].ttft_s.mean()

Read in this order: `costs` (what a stage takes), `requests`, `policies` (whom a stage serves next),
`stages` (`serve`, over the compiled `_loop` and `_queues`), `tandem` (three queues in a row, in
closed form), `capacity` (what decoupling can gain, and where a loading-aware order pays),
`recompute` (load or compute), `bounds` (what nobody can beat), `predictor` (what a scheduler can
know), `learned` (a priority fitted to a workload), `on_engine` (a real engine's steps as the
device), `copies` (what a copy in small pieces costs).
"""

from quire.serving.loading.bounds import (
    OnTimeBound,
    certified_value,
    mean_ttft_bound,
    on_time_bound,
)
from quire.serving.loading.capacity import (
    Capacity,
    boundary_bytes_per_s,
    capacity,
    disagreement,
    expected_disagreement,
)
from quire.serving.loading.copies import CopyTable, piece_bytes, table_from_copies
from quire.serving.loading.costs import (
    ComputeCost,
    ComputeFit,
    LoadingCosts,
    chunked_prefill_s,
    fit_compute,
)
from quire.serving.loading.learned import Learned, learn
from quire.serving.loading.on_engine import OnEngine, serve_on_engine
from quire.serving.loading.policies import ALL_POLICIES, POLICIES, Policy
from quire.serving.loading.predictor import LinearCost, fit_linear_cost, network_error, noisy
from quire.serving.loading.recompute import (
    Choice,
    both_ends,
    break_even_bytes_per_s,
    shorter_prefix,
)
from quire.serving.loading.requests import Requests, random_requests, requests_from
from quire.serving.loading.stages import Deadlock, Engine, LinkSpeed, Served, engine, serve
from quire.serving.loading.tandem import coupled, tandem, tandem_scan

__all__ = [
    "ALL_POLICIES",
    "POLICIES",
    "Capacity",
    "Choice",
    "ComputeCost",
    "ComputeFit",
    "CopyTable",
    "Deadlock",
    "Engine",
    "Learned",
    "LinearCost",
    "LinkSpeed",
    "LoadingCosts",
    "OnEngine",
    "OnTimeBound",
    "Policy",
    "Requests",
    "Served",
    "both_ends",
    "boundary_bytes_per_s",
    "break_even_bytes_per_s",
    "capacity",
    "certified_value",
    "chunked_prefill_s",
    "coupled",
    "disagreement",
    "engine",
    "expected_disagreement",
    "fit_compute",
    "fit_linear_cost",
    "learn",
    "mean_ttft_bound",
    "network_error",
    "noisy",
    "on_time_bound",
    "piece_bytes",
    "random_requests",
    "requests_from",
    "serve",
    "serve_on_engine",
    "shorter_prefix",
    "table_from_copies",
    "tandem",
    "tandem_scan",
]
