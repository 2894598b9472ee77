"""Which layers a step runs, by architecture, under the profiler's names."""

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
