"""What diffrax and pysindy are asked for by chapter 09: a trajectory, and a linear fit."""

import sys
from typing import Any

import numpy as np
from calls import Arrays, call, serve

sys.path = [entry for entry in sys.path if entry != sys.path[0]]


@call
def oscillator(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Return diffrax's states of a damped Duffing oscillator at ``times``."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import diffrax
    import jax.numpy as jnp

    k1, k3, damping = (float(request[name]) for name in ("k1", "k3", "damping"))

    def rate(t: Any, x: Any, args: Any) -> Any:
        return jnp.array([x[1], -k1 * x[0] - k3 * x[0] ** 3 - damping * x[1]])

    times = jnp.asarray(arrays["times"])
    solved = diffrax.diffeqsolve(
        diffrax.ODETerm(rate),
        diffrax.Tsit5(),
        times[0],
        times[-1],
        0.01,
        jnp.asarray(arrays["start"]),
        saveat=diffrax.SaveAt(ts=times),
        stepsize_controller=diffrax.PIDController(rtol=1e-10, atol=1e-12),
        max_steps=1_000_000,
    )
    return {}, {"states": np.asarray(solved.ys)}


@call
def sparse_fit(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Return pysindy's STLSQ coefficients of ``targets`` on ``features``, at a threshold."""
    import pysindy

    fit = pysindy.STLSQ(threshold=float(request["threshold"]), alpha=float(request["ridge"]))
    fit.fit(arrays["features"], arrays["targets"][:, None])
    return {}, {"coefficients": fit.coef_[0]}


if __name__ == "__main__":
    serve()
