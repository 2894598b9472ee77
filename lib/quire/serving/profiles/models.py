"""Shapes of decoders: bytes of weights, bytes of a KV block, and how many blocks a device holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quire.checks import between, integer, positive
from quire.signatures import checked

GIB = 2**30
"""Device memory and links are counted in this; memory bandwidth in 10^9."""


@checked
@dataclass(frozen=True)
class ModelShape:
    """What a transformer decoder's cost and memory depend on.

    Attributes
    ----------
    name
        For messages.
    layers, hidden, heads, kv_heads, head_dim, feed_forward, vocabulary
        The usual sizes.
    experts, experts_per_token
        Zero for a dense model.
    bytes_per_value
        Two for bfloat16.
    architecture
        ``"llama"``, ``"qwen3"`` or ``"qwen3_moe"``: which layers a block has (`profiles.layers`).
    """

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    feed_forward: int
    vocabulary: int
    experts: int = 0
    experts_per_token: int = 0
    bytes_per_value: int = 2
    architecture: str = "llama"

    def __post_init__(self) -> None:
        for name in ("layers", "hidden", "heads", "kv_heads", "head_dim", "feed_forward"):
            integer(name, getattr(self, name))
        integer("vocabulary", self.vocabulary)
        integer("experts", self.experts, 0)
        integer("experts_per_token", self.experts_per_token, 0)
        integer("bytes_per_value", self.bytes_per_value)
        if self.experts and not 1 <= self.experts_per_token <= self.experts:
            raise ValueError(
                f"experts_per_token = {self.experts_per_token}: must be from 1 to {self.experts}"
            )

    def kv_bytes_per_token(self, tp: int = 1) -> int:
        """Return the bytes that one token leaves in the cache of one of ``tp`` devices.

        A device holds whole heads: where there are more devices than heads of keys, these are
        copied.
        """
        heads = -(-self.kv_heads // integer("tp", tp))
        return 2 * self.layers * heads * self.head_dim * self.bytes_per_value

    def weight_bytes(self, tp: int = 1, ep: int = 1) -> int:
        """Return the bytes of weights on one device: ``tp`` share what is dense, ``ep`` experts."""
        tp, ep = integer("tp", tp), integer("ep", ep)
        rows = (self.heads + 2 * self.kv_heads) * self.head_dim
        attention = self.hidden * rows // tp + self.heads * self.head_dim * self.hidden // tp
        if self.experts:
            own = self.experts // ep
            mlp = own * 3 * self.hidden * self.feed_forward + self.hidden * self.experts
        else:
            mlp = 3 * self.hidden * self.feed_forward // tp
        block = attention + mlp + 2 * self.hidden
        ends = 2 * self.vocabulary * self.hidden // tp + self.hidden
        return (self.layers * block + ends) * self.bytes_per_value

    def kv_blocks(
        self,
        memory_gib: float | int,
        utilisation: float | int,
        *,
        tp: int = 1,
        ep: int = 1,
        block: int = 16,
    ) -> int:
        """Return how many KV blocks fit beside the weights of one device.

        Parameters
        ----------
        memory_gib
            Of one device.
        utilisation
            The share of it that the engine may use, between 0 and 1.
        tp, ep
            Tensor and expert parallelism.
        block
            Tokens of a block.

        Raises
        ------
        ValueError
            When not even one block is left.
        """
        total = positive("memory_gib", memory_gib) * GIB
        if utilisation != 1:
            between("utilisation", utilisation, 0, 1)
        room = int(total * utilisation) - self.weight_bytes(tp, ep)
        blocks = room // (self.kv_bytes_per_token(tp) * integer("block", block))
        if blocks < 1:
            raise ValueError(
                f"memory_gib = {memory_gib}: {self.name} needs more than that for its weights alone"
            )
        return blocks


@checked
def shape_from_config(config: Mapping[str, Any], name: str = "model") -> ModelShape:
    """Return the shape that a Hugging Face ``config.json`` describes.

    Raises
    ------
    ValueError
        When a size is missing.
    """
    needed = (
        "num_hidden_layers",
        "hidden_size",
        "num_attention_heads",
        "intermediate_size",
        "vocab_size",
    )
    for key in needed:
        if key not in config:
            raise ValueError(f"config has no {key!r}: a Hugging Face config.json is needed")
    heads = config["num_attention_heads"]
    experts = config.get("num_experts") or config.get("num_local_experts") or 0
    return ModelShape(
        name=name,
        layers=config["num_hidden_layers"],
        hidden=config["hidden_size"],
        heads=heads,
        kv_heads=config.get("num_key_value_heads") or heads,
        head_dim=config.get("head_dim") or config["hidden_size"] // heads,
        feed_forward=config.get("moe_intermediate_size") or config["intermediate_size"],
        vocabulary=config["vocab_size"],
        experts=experts,
        experts_per_token=config.get("num_experts_per_tok", 0) if experts else 0,
        architecture=config.get("model_type", "llama"),
    )


LLAMA_8B = ModelShape("Llama-3.1-8B", 32, 4096, 32, 8, 128, 14336, 128256)
LLAMA_70B = ModelShape("Llama-3.1-70B", 80, 8192, 64, 8, 128, 28672, 128256)
MIXTRAL_8X7B = ModelShape(
    "Mixtral-8x7B", 32, 4096, 32, 8, 128, 14336, 32000, 8, 2, architecture="mixtral"
)
QWEN3_32B = ModelShape("Qwen3-32B", 64, 5120, 64, 8, 128, 25600, 151936, architecture="qwen3")
QWEN3_30B_A3B = ModelShape(
    "Qwen3-30B-A3B", 48, 2048, 32, 4, 128, 768, 151936, 128, 8, architecture="qwen3_moe"
)
