"""The same problems handed to other people's solvers and simulators, one file for each package.

Every package is imported where it is used: none of them is needed for anything else here.
"""

from quire.queueing.peers.ciw import ciw_waiting_probability
from quire.queueing.peers.mdpsolver import mdpsolver_values
from quire.queueing.peers.pymdptoolbox import toolbox_cost, toolbox_forest
from quire.queueing.peers.quantecon import QuantEconProblem
from quire.queueing.peers.simpy import simpy_setup_response_time

__all__ = [
    "QuantEconProblem",
    "ciw_waiting_probability",
    "mdpsolver_values",
    "simpy_setup_response_time",
    "toolbox_cost",
    "toolbox_forest",
]
