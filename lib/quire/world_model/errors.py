"""Errors of the topic, each named by what is refused."""


class WorldModelError(ValueError):
    """Input or a composition that this package refuses."""


class UnitMismatch(WorldModelError):
    """Two ports of different quantities or units were wired."""


class PortArity(WorldModelError):
    """A matrix has another shape than the ports ask for, or a port does not exist."""


class AlgebraicLoop(WorldModelError):
    """Signal wires form a cycle that no state breaks."""


class NotSkewSymmetric(WorldModelError):
    """An interconnection or a structure matrix would create energy."""


class CyclicGraph(WorldModelError):
    """A causal graph has a directed cycle."""


class NotIdentified(WorldModelError):
    """The data do not determine the effect.

    Attributes
    ----------
    hedge
        What proves it: a pair of node sets, or the conflicting values of one variable.
    """

    def __init__(self, message: str, hedge: object = None) -> None:
        super().__init__(message)
        self.hedge = hedge


class Unreadable(WorldModelError):
    """A question whose text does not follow a known form."""


class UnknownShard(WorldModelError):
    """A shard was to be forgotten that was never learned."""


class StatisticsOverflow(WorldModelError):
    """A feature or a sum does not fit the integers that must hold it."""


class NonFinite(WorldModelError):
    """A state became infinite or undefined."""


class InfeasibleSafeSet(WorldModelError):
    """No input satisfies the barrier; the backup action has to be used."""


class KernelUnavailable(RuntimeError):
    """The safety kernel does not answer: the action is denied."""


class TokenRefused(WorldModelError):
    """A token does not authorise: forged, expired, replayed, or made for something else."""


class TokenForged(TokenRefused):
    """The signature is not the kernel's, or the text is not the canonical one."""


class TokenExpired(TokenRefused):
    """The token's time is over, or has not come."""


class TokenReplayed(TokenRefused):
    """The token has been used."""
