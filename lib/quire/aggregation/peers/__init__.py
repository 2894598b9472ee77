"""The same training in other people's packages, one file for each."""

from quire.aggregation.peers.pyg import PygRun, pyg_federated_averaging

__all__ = ["PygRun", "pyg_federated_averaging"]
