"""What is timed: all runs in one program, audited or not, and a loop over clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from quire.aggregation._client_loop import client_loop
from quire.aggregation.experiments.tasks import Setting
from quire.aggregation.graphs.graph import Federation
from quire.aggregation.rounds import Run, train
from quire.aggregation.server.servers import fedavg


def runners(
    federation: Federation, how: Setting, count: int, bare: bool = True
) -> dict[str, Callable[[], Any]]:
    """Return what to time: ``count`` runs in one audited program, and one run in a loop.

    The program evaluates and audits every round and the loop evaluates nothing; the loop trains one
    run where the program trains ``count``. ``bare`` adds the program without its audit.
    """
    network = how.network()
    runs = [Run(federation, fedavg(), seed) for seed in range(count)]
    loop = client_loop(federation, network, how.training().local)

    def program(audit: bool) -> Any:
        history = train(runs, network, how.training(audit=audit))
        return jax.block_until_ready(history.params)

    timed: dict[str, Callable[[], Any]] = {
        "audited": lambda: program(True),
        "loop": lambda: jax.block_until_ready(loop(how.rounds)),
    }
    return timed | ({"unaudited": lambda: program(False)} if bare else {})
