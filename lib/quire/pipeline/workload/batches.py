"""Batches whose work varies: images and clips per microbatch, and how much they vary (ours).

A microbatch lists, per module, the lengths in tokens of its independent items: one entry per image
for the vision encoder, per document for the language model, per clip for the diffusion transformer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import special

from quire import checks
from quire.pipeline.workload.costs import layer_flops
from quire.pipeline.workload.modules import Model
from quire.signatures import checked

PATCHES_PER_IMAGE = 1024
"""Vision tokens of one 448 × 448 tile (14-pixel patches)."""
TOKENS_PER_IMAGE = 256
"""Language-model tokens of one tile after the 2 × 2 merge."""
PACKED_TOKENS = 8192
"""Tokens to which text fills a packed language-model sequence."""
CAPTION_TOKENS = 512
"""Text-encoder tokens of one video clip's caption."""
TOKENS_PER_LATENT_FRAME = 256
"""Latent tokens of one compressed frame: 256/16 squared."""
CALIBRATED_SHAPE = 2.18
"""Gamma shape at which :func:`work_ratio` is 4.15 for ``vlm_m`` (see :func:`calibrate_shape`)."""


@dataclass(frozen=True)
class Microbatch:
    """Item lengths in tokens, one array per module of the model (an empty array: no such item)."""

    lengths: tuple[Float[np.ndarray, " _"], ...]


def _documents(total: float, uniforms: Float[np.ndarray, " k"]) -> Float[np.ndarray, " _"]:
    """Cut ``total`` tokens at the given fractions: documents of a packed sequence."""
    cuts = np.unique(np.round(np.sort(uniforms) * total))
    return np.diff(np.concatenate([[0.0], cuts[(cuts > 0) & (cuts < total)], [total]]))


def _images(uniform: float, mean: float, shape: float) -> int:
    if mean == 0:
        return 0
    return int(np.round(_gamma_quantile(uniform, mean, shape)))


def _gamma_quantile(uniform: float, mean: float, shape: float) -> float:
    """Return a quantile of the gamma law: `scipy.stats.gamma.ppf` without its checks."""
    return float(special.gammaincinv(shape, uniform)) * (mean / shape)


def vision_microbatch(images: int, uniforms: Float[np.ndarray, " k"]) -> Microbatch:
    """Microbatch of a vision-language model: ``images`` tiles, text up to the packed length.

    More than 32 images make the sequence longer than 8,192 tokens. ``uniforms`` in (0, 1) are
    where documents end.

    Raises
    ------
    ValueError
        If the number of images is negative, or a fraction lies outside 0 to 1.
    """
    images = checks.integer("images", images, 0)
    if np.size(uniforms):
        uniforms = checks.real_array("uniforms", uniforms, 1, least=0)
        if uniforms.max() > 1:
            raise ValueError(f"uniforms = {uniforms.max():g}: every entry must lie from 0 to 1")
    total = float(max(PACKED_TOKENS, images * TOKENS_PER_IMAGE))
    return Microbatch((np.full(images, float(PATCHES_PER_IMAGE)), _documents(total, uniforms)))


def video_microbatch(frames: Float[np.ndarray, " clips"]) -> Microbatch:
    """Microbatch of a text-to-video model: one caption and one clip of ``frames`` each.

    Raises
    ------
    ValueError
        If a number of frames is negative or not finite, or there is none.
    """
    frames = checks.real_array("frames", frames, 1, least=0)
    latent = np.maximum(np.round(frames / 8.0), 1.0) * TOKENS_PER_LATENT_FRAME
    return Microbatch((np.full(len(frames), float(CAPTION_TOKENS)), latent))


def _check_law(image_mean: float, shape: float) -> None:
    checks.non_negative("image_mean", image_mean)
    checks.positive("shape", shape)


@checked
def sample_batch(
    model: Model,
    microbatches: int,
    rng: np.random.Generator,
    *,
    image_mean: float = 16.0,
    shape: float = CALIBRATED_SHAPE,
    frames_mean: float = 96.0,
    frames_sigma: float = 0.8,
) -> tuple[Microbatch, ...]:
    """Draw one training batch.

    Vision-language models (first module ``vit``): images ~ Gamma(shape, mean ``image_mean``),
    rounded; documents end at four uniform points. Text-to-video models: four clips per microbatch,
    frames log-normal with the given mean and log-deviation.

    Raises
    ------
    ValueError
        If ``microbatches < 1``, or a number of the law is not finite or has the wrong sign.
    """
    microbatches = checks.integer("microbatches", microbatches)
    _check_law(image_mean, shape)
    frames_mean = checks.positive("frames_mean", frames_mean)
    frames_sigma = checks.non_negative("frames_sigma", frames_sigma)
    if model.modules[0].name == "vit":
        uniforms = rng.random((microbatches, 5))
        return tuple(
            vision_microbatch(_images(row[0], image_mean, shape), row[1:]) for row in uniforms
        )
    centre = np.log(frames_mean) - frames_sigma**2 / 2
    frames = np.exp(centre + frames_sigma * rng.standard_normal((microbatches, 4)))
    return tuple(video_microbatch(row) for row in frames)


def deal_items(lengths: Float[np.ndarray, " items"], parts: int) -> list[Float[np.ndarray, " _"]]:
    """Deal items into ``parts`` parts, longest item to the lightest part; some may stay empty.

    Raises
    ------
    ValueError
        If ``parts < 1``.
    """
    parts = checks.integer("parts", parts)
    if len(lengths) and lengths.min() == lengths.max() > 0:  # then every part has its turn
        return [np.full(len(lengths[k::parts]), float(lengths[0])) for k in range(parts)]
    load = [0.0] * parts
    bins: list[list[float]] = [[] for _ in load]
    for length in np.sort(lengths)[::-1].tolist():
        lightest = load.index(min(load))
        bins[lightest].append(length)
        load[lightest] += length
    return [np.array(content, dtype=np.float64) for content in bins]


@checked
def smaller_microbatches(batch: Sequence[Microbatch], parts: int) -> tuple[Microbatch, ...]:
    """Deal the items of every microbatch into ``parts`` smaller ones, whole items only.

    An image may leave the microbatch of its document, which favours whoever cuts. Modules are dealt
    from alternate ends, so that the part with one image more gets the shorter documents.

    Raises
    ------
    ValueError
        If ``parts < 1``.
    """
    smaller = []
    for microbatch in batch:
        dealt = [
            deal_items(lengths, parts)[:: -1 if u % 2 else 1]
            for u, lengths in enumerate(microbatch.lengths)
        ]
        smaller += [Microbatch(part) for part in zip(*dealt, strict=True)]
    return tuple(smaller)


@checked
def microbatch_flops(model: Model, microbatch: Microbatch) -> float:
    """Forward FLOPs of one microbatch through every layer of the model."""
    return sum(
        module.layers * sum(layer_flops(module, lengths))
        for module, lengths in zip(model.modules, microbatch.lengths, strict=True)
    )


@checked
def work_ratio(
    model: Model, *, shape: float, image_mean: float = 16.0, packed: int = 1000
) -> float:
    """Divide the largest by the smallest forward work of ``packed`` vision-language microbatches.

    Images are the mid-point quantiles of the gamma law, neither drawn nor rounded to whole images,
    so that the ratio is a continuous function of ``shape``. A public summary of the paper puts it
    at up to 4.15.

    Raises
    ------
    ValueError
        If ``shape`` is not positive, ``image_mean`` negative or ``packed < 1``.
    """
    _check_law(image_mean, shape)
    packed = checks.integer("packed", packed)
    ends = (np.arange(packed) + 0.5)[[0, -1]] / packed
    low, high = (_quantile_flops(model, u, image_mean, shape) for u in ends)
    return high / low


def _quantile_flops(model: Model, uniform: float, mean: float, shape: float) -> float:
    """Sum the forward FLOPs at one quantile of the gamma law of images."""
    vision, language = model.modules
    images = _gamma_quantile(uniform, mean, shape) if mean > 0 else 0.0
    tokens = max(float(PACKED_TOKENS), images * TOKENS_PER_IMAGE)
    documents = np.full(5, tokens / 5)
    one = sum(layer_flops(vision, np.array([float(PATCHES_PER_IMAGE)])))
    return images * vision.layers * one + language.layers * sum(layer_flops(language, documents))


@checked
def calibrate_shape(model: Model, *, target: float = 4.15, image_mean: float = 16.0) -> float:
    """Gamma shape whose :func:`work_ratio` comes closest to ``target``, by bisection to 1e-3.

    Raises
    ------
    ValueError
        If no shape between 0.2 and 20 reaches the target.
    """
    low, high = 0.2, 20.0
    at_low = work_ratio(model, shape=low, image_mean=image_mean)
    at_high = work_ratio(model, shape=high, image_mean=image_mean)
    if not at_high <= target <= at_low:
        raise ValueError(
            f"target {target} is out of reach: with image_mean {image_mean} the ratio "
            f"lies between {at_high:.2f} and {at_low:.2f}"
        )
    while high - low > 1e-3:
        middle = (low + high) / 2
        if work_ratio(model, shape=middle, image_mean=image_mean) > target:
            low = middle
        else:
            high = middle
    return (low + high) / 2
