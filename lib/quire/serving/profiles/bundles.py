"""Readers of LLMServingSim's profiles: its profiler's bundles, its first profiler's tables."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from quire.checks import integer, real_array
from quire.serving.links.collectives import Link
from quire.serving.profiles.attention import (
    CHUNK_STEP,
    KV_STEP,
    MOST_POINTS,
    PhaseTables,
    grid_from_rows,
)
from quire.serving.profiles.csvfiles import (
    Columns,
    read_columns,
    same_length,
    time_column,
    times_ns,
)
from quire.serving.profiles.curves import Curve, layer_curve
from quire.serving.profiles.experts import experts_from_rows
from quire.serving.profiles.latency import LatencyTable
from quire.serving.profiles.layers import (
    AFTER,
    BEFORE,
    FIRST_PROFILER,
    SEQUENCE,
    SHARED_BY_NONE,
    block_of,
)
from quire.serving.profiles.models import ModelShape
from quire.serving.profiles.skew import SkewTable, skew_from_rows
from quire.signatures import checked


@checked
def profile_from_tables(
    model: ModelShape,
    dense: Mapping[str, Any],
    sequence: Mapping[str, Any],
    attention: Mapping[str, Any],
    *,
    skew: SkewTable | None = None,
    experts: Mapping[str, Any] | None = None,
    whole: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None,
    tp: int = 1,
    ep: int = 1,
    link: Link | None = None,
) -> LatencyTable:
    """Return a profile from the columns of a bundle's files, whatever device and model they are of.

    Parameters
    ----------
    model
        The shape that was profiled; its ``architecture`` says which layers a block has.
    dense, sequence, attention
        ``dense.csv``, ``per_sequence.csv`` and ``attention.csv`` as columns, for this ``tp``.
    skew
        The table that `skew_from_rows` makes of ``skew_fit.csv``; None for none.
    experts
        ``moe.csv``; needed for a mixture of experts.
    whole
        ``dense`` and ``sequence`` of one device, for the layers that nobody shares; None to take
        them from the other two.
    tp, ep, link
        Devices that share a layer or the experts, and the link between them.

    Raises
    ------
    ValueError
        When a layer that the architecture needs is missing.
    """
    if model.experts and experts is None:
        raise ValueError(f"experts = None: {model.name} has {model.experts} of them")
    alone, alone_sequence = whole if whole is not None else (dense, sequence)

    def curve(name: str, *, by_sequence: bool = False) -> Curve:
        own, shared = (alone_sequence, sequence) if by_sequence else (alone, dense)
        table = own if name in SHARED_BY_NONE else shared
        return curve_of(table, name, "sequences" if by_sequence else "tokens")

    return LatencyTable(
        model,
        {name: curve(name) for name in (*BEFORE, *AFTER)},
        tuple((name, curve(name)) for name in block_of(model.architecture)),
        {name: curve(name, by_sequence=True) for name in SEQUENCE},
        grid_from_rows(attention),
        skew=skew,
        experts=experts_from_rows(experts) if experts is not None else None,
        tp=tp,
        ep=ep,
        link=link,
    )


@checked
def read_bundle(
    folder: str | Path,
    model: ModelShape,
    *,
    tp: int = 1,
    ep: int = 1,
    link: Link | None = None,
    meta: Mapping[str, Any] | None = None,
) -> LatencyTable:
    """Return the profile in a folder as LLMServingSim's profiler writes it: ``tp1/dense.csv`` ...

    Parameters
    ----------
    folder
        Holds ``tp1``, ``tp2`` ... with tables, each plain or gzipped.
    model
        The shape that was profiled.
    tp, ep, link
        As in `profile_from_tables`; experts are read from ``tp1``.
    meta
        The content of ``meta.yaml``; its bins of skew are used where its fit is enabled.

    Raises
    ------
    KeyError
        When the folder has no tables for ``tp``; lists those that it has.
    ValueError
        When a table is missing or malformed.
    """
    folder = Path(folder)
    have = {int(f.name[2:]): f for f in folder.glob("tp*") if f.name[2:].isdigit() and f.is_dir()}
    if integer("tp", tp) not in have:
        names = ", ".join(str(k) for k in sorted(have)) or "none"
        raise KeyError(f"tp = {tp}: {folder.name} has tables for {names}")
    one = have.get(1, have[tp])

    def table(place: Path, name: str) -> Columns:
        for file in (place / f"{name}.csv", place / f"{name}.csv.gz"):
            if file.is_file():
                return read_columns(file)
        raise ValueError(f"folder = {folder.name}/{place.name}: has no {name}.csv")

    here = have[tp]
    fit = (meta or {}).get("skew_fit") or {}
    skew = None
    if fit.get("enabled"):
        per_tp = fit.get("per_tp") or {}
        entry = per_tp.get(tp) or per_tp.get(str(tp)) or {}
        skew = skew_from_rows(
            table(here, "skew_fit"),
            entry.get("bucket_axes") or fit.get("bucket_axes") or {},
            float(entry.get("alpha_default", 0.0)),
        )
    return profile_from_tables(
        model,
        table(here, "dense"),
        table(here, "per_sequence"),
        table(here, "attention"),
        skew=skew,
        experts=table(one, "moe") if model.experts else None,
        whole=(table(one, "dense"), table(one, "per_sequence")),
        tp=tp,
        ep=ep,
        link=link,
    )


@checked
def profile_from_predictions(
    model: ModelShape,
    layers: Mapping[str, Any],
    prefill: Mapping[str, Any],
    decode: Mapping[str, Any],
    *,
    tp: int = 1,
    link: Link | None = None,
    leave_out: Sequence[str] = (),
) -> LatencyTable:
    """Return a profile from the tables of the authors' first profiler (nanoseconds, not micro).

    Parameters
    ----------
    model
        The shape that was profiled.
    layers
        ``layers.csv``: ``layer_name``, ``input``, ``latency(ns)``. A layer of the block that is
        absent is left out (the TPU's have no ``k_proj``, for one).
    prefill
        ``kv_cache_size``, ``prefill_chunk_size``, ``prediction``.
    decode
        ``batch_size``, ``kv_cache_size``, ``prediction``.
    tp, link
        Devices that share a layer, and the link between them.
    leave_out
        Layers of the block that another table holds already (the TPU's ``rope`` is part of its
        attention).

    Raises
    ------
    ValueError
        When a column is missing, or columns differ in length.
    """
    for name, table, needed in (
        ("layers", layers, ("layer_name", "input", "latency(ns)")),
        ("prefill", prefill, ("kv_cache_size", "prefill_chunk_size", "prediction")),
        ("decode", decode, ("batch_size", "kv_cache_size", "prediction")),
    ):
        for column in needed:
            if column not in table:
                raise ValueError(f"{name} has no column {column!r}")
        same_length(name, table, needed)
    inputs = real_array("input", layers["input"], 1, least=0.0)
    latencies = real_array("latency(ns)", layers["latency(ns)"], 1, least=0.0)
    for name in leave_out:
        if name not in FIRST_PROFILER["block"]:
            raise ValueError(f"leave_out = {name!r}: must be a layer of the block")
    names = np.asarray(layers["layer_name"])
    present = set(names.tolist())

    def curves(wanted: Sequence[str]) -> list[tuple[str, Curve]]:
        found = []
        for name in wanted:
            if name in present and name not in leave_out:
                mine = names == name
                keys, first = np.unique(inputs[mine], return_index=True)
                ns = latencies[mine][first]
                found.append((name, Curve(keys, np.maximum(ns, 1.0))))
        return found

    return LatencyTable(
        model,
        dict(curves(FIRST_PROFILER["once"])),
        tuple(curves(FIRST_PROFILER["block"])),
        dict(curves(FIRST_PROFILER["sequence"])),
        PhaseTables(
            _stepped(
                prefill["kv_cache_size"],
                KV_STEP,
                prefill["prefill_chunk_size"],
                CHUNK_STEP,
                prefill["prediction"],
            ),
            _stepped(
                decode["batch_size"], 1, decode["kv_cache_size"], KV_STEP, decode["prediction"]
            ),
        ),
        tp=tp,
        link=link,
    )


def _stepped(first: Any, first_step: int, second: Any, second_step: int, values: Any) -> np.ndarray:
    """Return values in a table whose rows and columns are multiples of steps; holes look upward.

    Raises
    ------
    ValueError
        When a size or value is negative or no number, or the table would be far too wide.
    """
    i, j = (
        real_array("sizes", each, 1, least=0.0).astype(np.int64) // step
        for each, step in ((first, first_step), (second, second_step))
    )
    if (i.max() + 1) * (j.max() + 1) > MOST_POINTS:
        raise ValueError(f"prediction = sizes up to {i.max()} by {j.max()} steps: is too wide")
    values = real_array("prediction", values, 1, least=0.0)
    table = np.full((i.max() + 1, j.max() + 1), np.nan)
    table[i, j] = values
    for axis in (1, 0):  # a hole takes the next larger entry, then the last one
        for step in (-1, 1):
            flipped = np.moveaxis(table, axis, 0)[::step]
            for k in range(1, len(flipped)):
                hole = np.isnan(flipped[k])
                flipped[k][hole] = flipped[k - 1][hole]
    return table


def curve_of(table: Mapping[str, Any], layer: str, key: str) -> Curve:
    """Return one layer's curve from columns ``layer``, ``key`` and ``time_us``, in nanoseconds.

    Another column of times is taken where ``time_us`` is missing (`times_ns`), and a layer under
    another name, or in parts, where the table has it so (`parts_of`).

    Raises
    ------
    ValueError
        When a column or the layer is missing, or a column holds anything but numbers from zero up.
    """
    time = time_column(table, "time_us")
    for column in ("layer", key, time):
        if column not in table:
            raise ValueError(f"table has no column {column!r}: needed are layer, {key}, time_us")
    same_length("table", table, ("layer", key, time))
    counts = real_array(key, table[key], 1, least=0.0)
    return layer_curve(layer, table["layer"], counts, np.rint(times_ns("table", table, time)), 1.0)
