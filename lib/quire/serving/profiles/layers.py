"""Which layers a step runs, by architecture, under the profiler's names."""

from collections.abc import Collection

BEFORE = ("embedding",)
AFTER = ("final_layernorm",)
SEQUENCE = ("lm_head", "sampler")

BLOCKS: dict[str, tuple[str, ...]] = {
    "llama": (
        "layernorm",
        "qkv_proj",
        "rotary_emb",
        "o_proj",
        "layernorm",
        "gate_up_proj",
        "act_fn",
        "down_proj",
    ),
    "qwen3": (
        "layernorm",
        "qkv_proj",
        "qk_norm",
        "rotary_emb",
        "o_proj",
        "layernorm",
        "gate_up_proj",
        "act_fn",
        "down_proj",
    ),
    "qwen3_moe": ("layernorm", "qkv_proj", "qk_norm", "rotary_emb", "o_proj", "layernorm"),
}
"""The dense layers of one block; attention and experts have tables of their own."""

SHARED_BY_NONE = frozenset({"layernorm", "final_layernorm", "qk_norm", "sampler"})
"""Layers that every device runs whole, however many share the model."""

FIRST_PROFILER = {
    "once": ("embedding", "final_layernorm"),
    "block": (
        "input_layernorm",
        "q_proj",
        "k_proj",
        "v_proj",
        "rope",
        "o_proj",
        "post_layernorm",
        "gate_proj",
        "up_proj",
        "act_fn",
        "down_proj",
    ),
    "sequence": ("lm_head",),
}
"""The names of the authors' first profiler, whose attention stands in tables of its own."""


KNOWN_AS: dict[str, tuple[tuple[str, ...], ...]] = {
    "qkv_proj": (("q_proj", "k_proj", "v_proj"),),
    "gate_up_proj": (("gate_proj", "up_proj"),),
    "layernorm": (("input_layernorm",), ("rms_norm",), ("rmsnorm",)),
    "final_layernorm": (("final_norm",), ("layernorm",)),
    "rotary_emb": (("rope",),),
    "act_fn": (("silu_and_mul",),),
}
"""Other names of a layer, or its parts where a table has these alone; the first that is whole."""


def parts_of(layer: str, present: Collection[str]) -> tuple[str, ...]:
    """Return under which names a table has a layer, or the layer's own name where it has none."""
    if layer in present:
        return (layer,)
    return next(
        (parts for parts in KNOWN_AS.get(layer, ()) if all(p in present for p in parts)), (layer,)
    )


def block_of(architecture: str) -> tuple[str, ...]:
    """Return the dense layers of a block.

    Raises
    ------
    ValueError
        For an architecture that is not here.
    """
    if architecture not in BLOCKS:
        raise ValueError(
            f"architecture = {architecture!r}: must be one of {', '.join(sorted(BLOCKS))}"
        )
    return BLOCKS[architecture]
