"""Whom a stage serves next: a number for each request, the smallest first.

============== ====================================================================================
fifo           arrival
sjf_compute    tau_C: the cost that an engine knows which thinks in computing alone
sjf_total      tau_N + tau_P + tau_C: the service cost with its loading (the paper's idea)
srpt_total     what remains of it, looked at again after every quantum
sjf_bottleneck the largest of the three
edf            deadline
lstf_compute   deadline - what remains of tau_C: least slack, with computing alone
lstf_total     deadline - what remains of all three
hybrid         those that can still be on time first, by deadline + weight (what remains of all)
============== ====================================================================================

Equal numbers are served in the order of arrival. ``aging`` adds its multiple of the waiting time:
as all requests wait at the same speed, this is the key plus aging times the arrival, and no key
needs to be renewed. Two rules more: ``sharing`` gives each request a quantum in turn, as a link
does that many flows share; ``linear`` ranks by a weighted sum of the three stages and of the time
that the deadline gives (`learned` chooses the weights).
"""

from dataclasses import dataclass

from quire.checks import non_negative, real_array

POLICIES = (
    "fifo", "sjf_compute", "sjf_total", "srpt_total", "sjf_bottleneck", "edf", "lstf_compute",
    "lstf_total", "hybrid",
)  # fmt: skip
ALL_POLICIES = (*POLICIES, "sharing", "linear")
FIFO, SJF_COMPUTE, SJF_TOTAL, SRPT_TOTAL, SJF_BOTTLENECK, EDF = range(6)
LSTF_COMPUTE, LSTF_TOTAL, HYBRID, SHARING, LINEAR = range(6, 11)


@dataclass(frozen=True)
class Policy:
    """A rule by name, and its constants.

    Attributes
    ----------
    name
        One of `ALL_POLICIES`.
    aging
        Seconds of the key that a second of waiting is worth; 0 for none.
    weight
        Of ``hybrid``: seconds of deadline that a second of remaining work is worth.
    weights
        Of ``linear``: of network, copy, computing, and of the time from arrival to deadline.
    """

    name: str = "fifo"
    aging: float | int = 0.0
    weight: float | int = 10.0
    weights: tuple[float | int, ...] = (1.0, 1.0, 1.0, 0.0)

    def __post_init__(self) -> None:
        if self.name not in ALL_POLICIES:
            raise ValueError(f"policy = {self.name!r}: must be one of {', '.join(ALL_POLICIES)}")
        non_negative("aging", self.aging)
        non_negative("weight", self.weight)
        found = real_array("weights", self.weights, 1, least=0.0)
        if found.size != 4:
            raise ValueError(f"weights = {found.size} numbers: must be 4")
        object.__setattr__(self, "weights", tuple(float(each) for each in found))

    @property
    def code(self) -> int:
        """The number by which compiled code knows it."""
        return ALL_POLICIES.index(self.name)


def as_policy(policy: "str | Policy") -> Policy:
    """Return a policy, given as such or by its name."""
    return policy if isinstance(policy, Policy) else Policy(policy)
