"""A profile of a model that nobody measured, from another model's tables of the same device."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from quire.checks import integer
from quire.serving.links.collectives import Link
from quire.serving.profiles.curves import Curve
from quire.serving.profiles.experts import ExpertTable, balanced_load
from quire.serving.profiles.latency import LatencyTable
from quire.serving.profiles.models import ModelShape
from quire.signatures import checked

TOKENS = np.concatenate([np.arange(1.0, 129.0), np.arange(160.0, 2049.0, 32.0)])
"""Tokens at which a borrowed curve is worked out; linear between them."""


def weights_of(model: ModelShape, tp: int = 1) -> dict[str, float]:
    """Return the weights on one of ``tp`` devices of each matrix product, by the profiler's name.

    Of a mixture, one expert's: experts stand whole on their device.
    """
    tp = integer("tp", tp)
    wide, heads = model.hidden, model.heads * model.head_dim / tp
    keys = -(-model.kv_heads // tp) * model.head_dim
    inner = model.feed_forward / (1 if model.experts else tp)
    return {
        "q_proj": wide * heads,
        "k_proj": wide * keys,
        "v_proj": wide * keys,
        "o_proj": heads * wide,
        "gate_proj": wide * inner,
        "up_proj": wide * inner,
        "down_proj": inner * wide,
        "lm_head": wide * model.vocabulary / tp,
    }


@checked
def borrowed_profile(
    source: LatencyTable, model: ModelShape, *, tp: int = 1, ep: int = 1, link: Link | None = None
) -> LatencyTable:
    """Return a profile of ``model`` on the device that ``source`` was measured on.

    A matrix product costs what the source's products of as many weights cost at as many tokens,
    linear between the two nearest; the smallest's where it is smaller. What works on single values
    costs what the source takes for as many of them. Attention is the source's.

    Parameters
    ----------
    source
        Of the first profiler's layers, with tables for each phase of attention.
    model
        What is asked for: dense, or a mixture with whole experts on its devices.
    tp, ep, link
        Devices that share a layer and the experts, and the link between them.

    Raises
    ------
    ValueError
        When the source lacks a layer, or its devices hold other heads of keys than the model's.
    """
    tp, ep = integer("tp", tp), integer("ep", ep)
    own, other = (
        (-(-shape.kv_heads // count), shape.head_dim)
        for shape, count in ((model, tp), (source.model, source.tp))
    )
    if own != other:
        raise ValueError(
            f"tp = {tp}: {model.name} has {own[0]} heads of keys of {own[1]} on a device, the "
            f"source's table of attention is for {other[0]} of {other[1]}"
        )
    curves = {**dict(source.block), **source.once, **source.sequence}
    sizes = weights_of(source.model, source.tp)
    lacking = [name for name in (*sizes, "input_layernorm", "rope") if name not in curves]
    if lacking:
        raise ValueError(f"source has no layer {lacking[0]!r}: the first profiler's are needed")
    known = sorted(set(sizes.values()))
    table = np.array(
        [
            np.mean([curves[name].at(TOKENS) for name, s in sizes.items() if s == size], axis=0)
            for size in known
        ]
    )

    def product(weights: float | int) -> Curve:
        at = [np.interp(weights, known, column) for column in table.T]
        return Curve(TOKENS, np.array(at))

    def single(name: str, share: float) -> Curve:
        return Curve(TOKENS, curves[name].at(TOKENS * share))

    mine = weights_of(model, tp)
    wide = model.hidden / source.model.hidden
    turned = (model.heads + model.kv_heads) * model.head_dim / tp
    turned /= (source.model.heads + source.model.kv_heads) * source.model.head_dim / source.tp
    block = [
        ("input_layernorm", single("input_layernorm", wide)),
        *((name, product(mine[name])) for name in ("q_proj", "k_proj", "v_proj")),
        ("rope", single("rope", turned)),
        ("o_proj", product(mine["o_proj"])),
        ("post_layernorm", single("post_layernorm", wide)),
    ]
    experts = None
    if model.experts:
        block.append(("gate", product(model.hidden * model.experts)))
        experts = _experts(
            model, ep, [product(mine[n]) for n in ("gate_proj", "up_proj", "down_proj")]
        )
    else:
        inner = model.feed_forward / tp / (source.model.feed_forward / source.tp)
        block += [(name, product(mine[name])) for name in ("gate_proj", "up_proj", "down_proj")]
        block.append(("act_fn", single("act_fn", inner)))
    return replace(
        source,
        model=model,
        once={
            name: single(name, wide) for name in ("embedding", "final_layernorm") if name in curves
        },
        block=tuple(block),
        sequence={"lm_head": product(mine["lm_head"])},
        experts=experts,
        tp=tp,
        ep=ep,
        link=link,
    )


def _experts(model: ModelShape, ep: int, products: list[Curve]) -> ExpertTable:
    """Return what the experts of one device take, one after the other, under a balanced gate."""
    active = np.arange(1.0, max(1, model.experts // ep) + 1)
    reached, _ = balanced_load(TOKENS, model.experts, model.experts_per_token, ep)
    each = np.maximum(TOKENS * model.experts_per_token / model.experts, 1.0)
    one: Float[np.ndarray, " n"] = np.sum([curve.at(each) for curve in products], axis=0)
    keys, first = np.unique(np.maximum(reached, 1.0), return_index=True)
    return ExpertTable(active, tuple(Curve(keys, count * one[first]) for count in active))
