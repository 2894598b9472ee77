"""Profiles from operators measured one by one, such as any benchmark of kernels gives."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from quire.checks import real_array
from quire.serving.links.collectives import Link
from quire.serving.profiles.attention import AttentionGrid
from quire.serving.profiles.csvfiles import same_length, time_column, times_ns
from quire.serving.profiles.curves import Curve, interpolated, layer_curve
from quire.serving.profiles.latency import LatencyTable
from quire.serving.profiles.models import ModelShape
from quire.signatures import checked

BLOCK = ("layernorm", "qkv_proj", "o_proj", "layernorm", "gate_up_proj", "act_fn", "down_proj")


@checked
def profile_from_operators(
    model: ModelShape,
    dense: Mapping[str, Any],
    attention: Mapping[str, Any],
    *,
    decode_phase: str = "decode",
    block: tuple[str, ...] = BLOCK,
    rotary: bool = False,
    tp: int = 1,
    link: Link | None = None,
    time: str = "median_us",
) -> LatencyTable:
    """Return a profile from measured operators of a device: nothing is fitted.

    A step costs what its operators cost, one after the other. The attention of a mixed batch is
    the sum of its prefill and its decode part; below the least count that was measured a kernel
    costs what it does there, and nothing for none.

    Parameters
    ----------
    model
        The shape that was measured.
    dense
        Columns ``layer``, ``tokens`` and ``time``; the layers of ``block``, and ``lm_head``, under
        these names or those of `layers.KNOWN_AS`.
    attention
        Columns ``phase``, ``chunk``, ``kv_prefill``, ``n_decode``, ``kv_decode`` and ``time``. Rows
        of ``prefill`` give chunks; rows of ``decode_phase`` give sequences by length.
    decode_phase
        Which rows are decodes: a device may have been measured with several kernels.
    block
        The dense layers of a block, a layer that stands twice named twice.
    rotary
        Whether to add ``rotary_emb``.
    tp, link
        Devices that share a layer, and the link between them.
    time
        The column of times, in the unit that ends its name, or microseconds. Where a table lacks
        it, a column of a median, a time, a latency or a mean that names its unit is taken.

    Raises
    ------
    ValueError
        When a column, a layer or a phase is missing, or columns differ in length.
    """
    for name, table, others in (
        ("dense", dense, ("layer", "tokens")),
        ("attention", attention, ("phase", "chunk", "kv_prefill", "n_decode", "kv_decode")),
    ):
        needed = (*others, time_column(table, time))
        for column in needed:
            if column not in table:
                raise ValueError(f"{name} has no column {column!r}")
        same_length(name, table, needed)
    tokens = real_array("tokens", dense["tokens"], 1, least=0.0)
    measured = times_ns("dense", dense, time, above=0.0)

    def curve(name: str) -> Curve:
        return layer_curve(name, dense["layer"], tokens, measured)

    phase = np.asarray(attention["phase"])
    columns = {
        name: real_array(name, attention[name], 1, least=0.0)
        for name in ("chunk", "kv_prefill", "n_decode", "kv_decode")
    }
    spent = times_ns("attention", attention, time)
    for wanted in ("prefill", decode_phase):
        if not (phase == wanted).any():
            known = ", ".join(sorted(set(phase.tolist())))
            raise ValueError(f"phase = {wanted!r}: is not in the table, which has {known}")
    part = phase == "prefill"
    chunks, prefill_kv, first = _surface(
        columns["chunk"][part], columns["kv_prefill"][part], spent[part]
    )
    part = phase == decode_phase
    decodes, decode_kv, second = _surface(
        columns["n_decode"][part], columns["kv_decode"][part], spent[part]
    )
    values = first[:, None, :, None] + second[None, :, None, :]
    names = (*block, "rotary_emb") if rotary else block
    return LatencyTable(
        model,
        {"final_layernorm": curve("layernorm")},
        tuple((name, curve(name)) for name in names),
        {"lm_head": curve("lm_head")},
        AttentionGrid(chunks, decodes, prefill_kv, decode_kv, values),
        tp=tp,
        link=link,
        chunks_apart=True,
    )


def _surface(
    rows: Float[np.ndarray, " k"], columns: Float[np.ndarray, " k"], values: Float[np.ndarray, " k"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return axes and a filled table from scattered points; nothing costs nothing at zero rows.

    Each row is completed along its columns by its own points, then missing rows between.
    """
    first, second = np.unique(rows), np.unique(columns)
    table = np.empty((first.size, second.size))
    for k, row in enumerate(first):
        mine = rows == row
        keys, at = np.unique(columns[mine], return_index=True)
        table[k] = interpolated(keys, values[mine][at], second)
    table = np.maximum(table, 0.0)
    if first[0] > 0:
        if first[0] > 1:  # from one to the first measured count a kernel costs what the first does
            first = np.concatenate([[1.0], first])
            table = np.vstack([table[:1], table])
        first = np.concatenate([[0.0], first])
        table = np.vstack([np.zeros(second.size), table])
    if second[0] > 0:
        second = np.concatenate([[0.0], second])
        table = np.hstack([table[:, :1], table])
    return first, second, table
