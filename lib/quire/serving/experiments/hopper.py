"""An H100 added from its tables alone, and held against whole steps measured on it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from quire.checks import positive
from quire.serving.power.clock import ClockModel, fit_energies
from quire.serving.profiles.latency import Batch, LatencyTable
from quire.serving.profiles.models import ModelShape

H100_BYTES_PER_S = 3.35e12
"""The data sheet's memory bandwidth."""


@dataclass(frozen=True)
class StepRow:
    """One measured step: milliseconds, and errors of the sums in per cent."""

    what: str
    sequences: int
    context: int
    measured: float | int
    tables: float | int
    error: float | int
    with_additions: float | int
    bound: float | int


def with_residuals(
    profile: LatencyTable, dense: Mapping[str, Any], bytes_per_s: float | int = H100_BYTES_PER_S
) -> LatencyTable:
    """Return a profile with the two residual additions of each block, which no table holds.

    An addition reads two rows and writes one, 3 x hidden values a token, at the memory's bandwidth,
    and takes no less than half of the activation's two kernels at one token.

    Parameters
    ----------
    profile
        Of the device.
    dense
        The table of operators, for the activation's time at its least number of tokens.
    bytes_per_s
        Of the memory.

    Raises
    ------
    ValueError
        When the table has no activation.
    """
    layer, tokens = np.asarray(dense["layer"]), np.asarray(dense["tokens"])
    mine = layer == "act_fn"
    if not mine.any():
        raise ValueError("dense: has no act_fn, from which the shortest kernel is read")
    shortest = float(np.asarray(dense["median_us"])[mine][np.argmin(tokens[mine])]) * 1e3 / 2
    moved = 3 * profile.model.hidden * profile.model.bytes_per_value
    each = moved / positive("bytes_per_s", bytes_per_s) * 1e9
    return replace(profile, residual_ns=(2 * shortest, 2 * each))


def batch_of(what: str, sequences: int, context: int) -> Batch:
    """Return the batch of a measured step.

    Raises
    ------
    ValueError
        For another name than ``decode_step`` and ``prefill_step``.
    """
    if what == "decode_step":
        return Batch(lengths=(context,) * sequences)
    if what == "prefill_step":
        return Batch(chunks=(context,) * sequences, before=(0,) * sequences)
    raise ValueError(f"what = {what!r}: must be decode_step or prefill_step")


def step_rows(
    profile: LatencyTable,
    fuller: LatencyTable,
    steps: Mapping[str, Any],
    bytes_per_s: float | int = H100_BYTES_PER_S,
) -> list[StepRow]:
    """Return measured steps beside the sums of the tables.

    Parameters
    ----------
    profile, fuller
        Without and with the additions (`with_residuals`).
    steps
        Columns ``what``, ``sequences``, ``context``, ``median_us``.
    bytes_per_s
        For the bound: weights and cache read once.
    """
    rows = []
    table = zip(
        steps["what"], steps["sequences"], steps["context"], steps["median_us"], strict=True
    )
    for what, sequences, context, measured in table:
        batch = batch_of(what, int(sequences), int(context))
        sums = [each.step_ns(batch) / 1e3 for each in (profile, fuller)]
        _, moved = work_of(profile.model, what, int(sequences), int(context))
        rows.append(
            StepRow(
                what.removesuffix("_step"),
                int(sequences),
                int(context),
                measured / 1e3,
                sums[0] / 1e3,
                100 * (sums[0] / measured - 1),
                100 * (sums[1] / measured - 1),
                moved / bytes_per_s * 1e3,
            )
        )
    return rows


def work_of(model: ModelShape, what: str, sequences: int, context: int) -> tuple[float, float]:
    """Return the operations of a step and the bytes that it cannot do without."""
    value = model.bytes_per_value
    head = model.vocabulary * model.hidden
    weights = model.weight_bytes() / value - head  # without the embedding's table
    width = model.layers * model.heads * model.head_dim
    kv = model.kv_bytes_per_token()
    if what.startswith("decode"):
        flops = 2 * weights * sequences + 4 * width * sequences * context
        return flops, weights * value + sequences * context * kv
    tokens = sequences * context
    flops = 2 * (weights - head) * tokens + 2 * head * sequences + 2 * width * context * tokens
    return flops, weights * value + tokens * kv


@dataclass(frozen=True)
class ClockRow:
    """A long load: its measured clock and power, and the model's clock in MHz."""

    load: str
    measured_mhz: float | int
    model_mhz: float | int
    watts: float | int
    error: float | int
    fitted: bool


def clock_rows(
    profile: LatencyTable,
    power: Mapping[str, Any],
    steps: Mapping[str, Any],
    cap_w: float | int = 700.0,
) -> tuple[ClockModel, list[ClockRow]]:
    """Fit the model of the clock, and predict the clocks of the loads that reach the cap.

    Static power and a byte's energy come from the decodes below the cap. An operation's energy
    comes from the shorter of the two long matrix products, which draws the cap at its measured
    clock and rate. The prefill is predicted from the time that the tables give it; the other
    product, which no table holds, from its measured rate.

    Parameters
    ----------
    profile
        Of the device and the decoder.
    power
        Columns ``load``, ``sequences``, ``context``, ``watt_mean``, ``sm_mhz``, ``calls``,
        ``seconds``.
    steps
        Measured steps, for the decodes' times.
    cap_w
        The power limit.
    """
    model = profile.model
    times = {
        (str(w), int(n), int(k)): float(us) / 1e6
        for w, n, k, us in zip(
            steps["what"], steps["sequences"], steps["context"], steps["median_us"], strict=True
        )
    }
    columns = ("load", "sequences", "context", "watt_mean", "sm_mhz", "calls", "seconds")
    table = list(zip(*(power[name] for name in columns), strict=True))
    full = max(float(row[4]) for row in table)
    below, runs = [], {}
    for load, n, k, watts, mhz, calls, seconds in table:
        if load == "decode" and mhz >= full:
            flops, moved = work_of(model, "decode", int(n), int(k))
            below.append((watts, flops, moved, times["decode_step", int(n), int(k)]))
        elif load == "prefill":
            flops, moved = work_of(model, "prefill", 1, int(k))
            runs[f"prefill of {int(k):,}"] = (watts, mhz, flops, moved, seconds / calls)
        elif load == "prefill_gemm":
            tokens, wide = int(n), 2 * model.feed_forward
            flops = 2.0 * tokens * model.hidden * wide
            moved = 2.0 * (model.hidden * wide + tokens * (model.hidden + wide))
            runs[f"product of {tokens:,} rows"] = (watts, mhz, flops, moved, seconds / calls)
    static, _, per_byte = fit_energies(*np.array(below).T)
    products = sorted(
        (name for name in runs if name.startswith("product")), key=lambda x: runs[x][2]
    )
    _, mhz, flops, moved, seconds = runs[products[0]]
    share = mhz / full
    per_flop = (cap_w - static - per_byte * moved / seconds) * seconds / flops / share**2
    fitted = ClockModel(cap_w, full, max(static, 1e-3), per_flop, per_byte, 2.0)
    rows = []
    for name, (watts, mhz, flops, moved, seconds) in runs.items():
        if name.startswith("prefill"):
            at_full = profile.step_ns(Batch((int(name.split()[-1].replace(",", "")),), (0,))) / 1e9
        else:  # measured at its own clock: the rate at the full clock is higher
            at_full = seconds * mhz / full
        predicted = full * fitted.share_of_clock(flops, moved, at_full)
        error = round(100 * (predicted / mhz - 1), 6)
        rows.append(ClockRow(name, float(mhz), predicted, float(watts), error, name == products[0]))
    return fitted, rows


def settled_after_s(seconds: Any, watts: Any, share: float | int = 0.1) -> tuple[float, float]:
    """Return when power has fallen to within a share of its rise, and the watts it settles at.

    Parameters
    ----------
    seconds, watts
        After the last kernel.
    share
        Of the difference between the first value and the last second's mean.
    """
    t, w = np.asarray(seconds, dtype=float), np.asarray(watts, dtype=float)
    rest = float(w[t >= t[-1] - 1.0].mean())
    high = np.flatnonzero(w > rest + share * (w[0] - rest))
    return (float(t[min(high[-1] + 1, t.size - 1)]) if high.size else float(t[0])), rest


@dataclass(frozen=True)
class PowerFit:
    """Watts of decodes: measured, and from static power, operations and bytes."""

    sequences: int
    context: int
    watts: float | int
    model: float | int
    mhz: float | int


def decode_power(
    model: ModelShape, power: Mapping[str, Any], steps: Mapping[str, Any]
) -> list[PowerFit]:
    """Return the decodes' power beside the fit of static power and two energies."""
    times = {
        (int(n), int(k)): float(us) / 1e6
        for w, n, k, us in zip(
            steps["what"], steps["sequences"], steps["context"], steps["median_us"], strict=True
        )
        if w == "decode_step"
    }
    columns = ("load", "sequences", "context", "watt_mean", "sm_mhz")
    rows = [
        (int(n), int(k), float(w), float(m), *work_of(model, "decode", int(n), int(k)))
        for load, n, k, w, m in zip(*(power[c] for c in columns), strict=True)
        if load == "decode"
    ]
    full = max(row[3] for row in rows)
    fit = [(w, f, b, times[n, k]) for n, k, w, m, f, b in rows if m >= full]
    static, per_flop, per_byte = fit_energies(*np.array(fit).T)
    return [
        PowerFit(n, k, w, static + (per_flop * f + per_byte * b) / times[n, k], m)
        for n, k, w, m, f, b in rows
    ]
