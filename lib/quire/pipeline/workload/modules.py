"""Transformer modules and the multimodal models made of them.

Dimensions are those of public architectures of the same class; the five named models are ours,
chosen so that their sizes span 10 to 92 billion layer parameters (the paper says 12 to 94, counted
its way). They are not the
paper's configurations, which its abstract does not give.
"""

from __future__ import annotations

from dataclasses import dataclass

from quire import checks
from quire.signatures import checked


@dataclass(frozen=True)
class Module:
    """A stack of equal transformer layers that handles one modality.

    ``hidden`` and ``ffn`` are widths, ``heads``/``kv_heads`` attention heads, ``gated`` marks a
    three-matrix MLP, ``causal`` attention that skips the masked half.
    """

    name: str
    layers: int
    hidden: int
    ffn: int
    heads: int
    kv_heads: int
    gated: bool
    causal: bool

    def __post_init__(self) -> None:
        for field in ("layers", "hidden", "ffn", "heads", "kv_heads"):
            checks.integer(f"{field} of module {self.name!r}", getattr(self, field))

    @property
    def layer_parameters(self) -> int:
        """Weights of one layer: attention projections and the MLP, no embeddings."""
        kv = self.kv_heads / self.heads
        attention = 2 * self.hidden**2 * (1 + kv)
        return int(attention + (3 if self.gated else 2) * self.hidden * self.ffn)

    @property
    def parameters(self) -> int:
        """Weights of the whole stack."""
        return self.layers * self.layer_parameters


@dataclass(frozen=True)
class Model:
    """Modules in the order of data flow: each one's output feeds the next.

    Raises
    ------
    ValueError
        If there is no module, or two share a name.
    """

    name: str
    modules: tuple[Module, ...]

    def __post_init__(self) -> None:
        if not self.modules:
            raise ValueError(f"modules of model {self.name!r} is empty: give at least one module")
        names = [module.name for module in self.modules]
        if len(set(names)) != len(names):
            raise ValueError(f"modules of model {self.name!r} share a name in {names}: rename one")

    @property
    def parameters(self) -> int:
        """Weights of all modules."""
        return sum(module.parameters for module in self.modules)


VIT_6B = Module("vit", 45, 3200, 12800, 25, 25, gated=False, causal=False)
VIT_22B = Module("vit", 48, 6144, 24576, 48, 48, gated=False, causal=False)
LM_8B = Module("lm", 32, 4096, 14336, 32, 8, gated=True, causal=True)
LM_32B = Module("lm", 64, 5120, 27648, 40, 8, gated=True, causal=True)
LM_72B = Module("lm", 80, 8192, 29568, 64, 8, gated=True, causal=True)
DIT_4B = Module("dit", 28, 3072, 12288, 24, 24, gated=False, causal=False)
DIT_30B = Module("dit", 48, 6144, 24576, 48, 48, gated=False, causal=False)

MODELS: dict[str, Model] = {
    "vlm_s": Model("vlm_s", (VIT_6B, LM_8B)),
    "vlm_m": Model("vlm_m", (VIT_6B, LM_32B)),
    "vlm_l": Model("vlm_l", (VIT_22B, LM_72B)),
    "t2v_s": Model("t2v_s", (LM_8B, DIT_4B)),
    "t2v_l": Model("t2v_l", (LM_8B, DIT_30B)),
}
"""Our five named models: three vision-language ones, two text-to-video ones."""


@checked
def model_named(name: str) -> Model:
    """Return one of the five named models.

    Raises
    ------
    ValueError
        If there is no model of that name.
    """
    if not isinstance(name, str) or name not in MODELS:
        raise ValueError(f"name = {name!r}: choose one of {', '.join(MODELS)}")
    return MODELS[name]
