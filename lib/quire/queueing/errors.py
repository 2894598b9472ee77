"""The two ways a queueing question has no answer."""


class UnstableSystem(ValueError):
    """The servers cannot keep up: the load ``rho`` per server is one or more (ours).

    ``rho`` is kept as an attribute.
    """

    def __init__(self, rho: float, what: str = "the farm"):
        self.rho = rho
        super().__init__(
            f"{what} is unstable: rho = {rho:.6g} must be below 1; "
            "lower arrival_rate or use more or faster servers"
        )


class ConvergenceError(RuntimeError):
    """An iteration ended before its bounds on the average cost met (ours).

    ``bounds`` holds the lower and the upper bound that were reached.
    """

    def __init__(self, bounds: tuple[float, float], iterations: int):
        self.bounds = bounds
        super().__init__(
            f"no convergence after {iterations} iterations: the average cost lies in "
            f"[{bounds[0]:.12g}, {bounds[1]:.12g}]; allow more iterations or a wider tolerance"
        )
