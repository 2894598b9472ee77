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


@call
def driven(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Solve driven oscillators by diffrax, at its cheapest setting that errs no more than ours.

    Heun's method and Tsit5 are tried with fixed steps that end where the drive switches, all
    oscillators as one compiled system. Returned are the settings, and the processor ms per round.

    Raises
    ------
    ValueError
        When no setting errs so little.
    """
    import time

    import jax

    jax.config.update("jax_enable_x64", True)
    import diffrax
    import jax.numpy as jnp

    k1, k3, damping = (jnp.asarray(column) for column in arrays["parameters"].T)
    seconds, rounds = int(request["seconds"]), int(request["rounds"])

    def compiled(solver: Any) -> Any:
        def second(carried: Any, begin: Any) -> Any:
            """Solve one second, in which the drive is constant."""
            x, step = carried
            drive = jnp.where(begin % 2 < 1, 1.0, -1.0)

            def rate(t: Any, y: Any, args: Any) -> Any:
                q, p = y
                return jnp.stack([p, drive - k1 * q - k3 * q**3 - damping * p])

            told = diffrax.diffeqsolve(
                diffrax.ODETerm(rate), solver, 0.0, 1.0, step, x, max_steps=None
            )
            return (told.ys[0], step), None

        start = jnp.zeros((2, len(k1)))
        return jax.jit(lambda step: jax.lax.scan(second, (start, step), jnp.arange(seconds))[0][0])

    heun, tsit5 = compiled(diffrax.Heun()), compiled(diffrax.Tsit5())
    exact = np.asarray(tsit5(1 / 32))
    ours = float(np.abs(arrays["states"].T - exact).max())
    tried, best = [], None
    for name, run, choices in (
        ("Tsit5", tsit5, (1, 2, 3, 4, 6, 8)),
        ("Heun", heun, (4, 8, 12, 16, 24, 32)),
    ):
        for parts in choices:
            error = float(np.abs(np.asarray(run(1 / parts)) - exact).max())
            if not error <= ours:
                continue
            took = []
            for _ in range(rounds):
                started = time.process_time()
                jax.block_until_ready(run(1 / parts))
                took.append(1e3 * (time.process_time() - started))
            tried.append({"solver": name, "steps": parts, "error": error})
            if best is None or np.median(took) < np.median(best[1]):
                best = (tried[-1], took)
            break
    if best is None:
        raise ValueError("no setting that was tried errs so little")
    return {"best": best[0], "error": ours}, {"ms": np.array(best[1])}


@call
def fit_ms(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Return pysindy's processor ms per round of a fit without threshold, and coefficients."""
    import time

    import pysindy

    took = []
    for _ in range(1 + int(request["rounds"])):
        fit = pysindy.STLSQ(threshold=0.0, alpha=0.0)
        started = time.process_time()
        fit.fit(arrays["features"], arrays["targets"][:, None])
        took.append(1e3 * (time.process_time() - started))
    return {}, {"ms": np.array(took[1:]), "coefficients": fit.coef_[0]}


if __name__ == "__main__":
    serve()
