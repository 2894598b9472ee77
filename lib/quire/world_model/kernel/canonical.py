"""Canonical JSON: one text for one value, and a strict reader that refuses every other."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from typing import Any

from quire.world_model.errors import WorldModelError

DEPTH, LENGTH = 32, 1 << 16


def canonical(value: Any) -> str:
    """Return a value as JSON with sorted keys at every level, no blanks, floats with ``.0``.

    Raises
    ------
    WorldModelError
        For NaN, infinities, keys that are no text, lone surrogates, or what JSON can not hold.
    """
    _check(value, 0)
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as fault:
        raise WorldModelError("value has a lone surrogate: must be Unicode text") from fault
    return text


def read(text: str | bytes) -> Any:
    """Return the value of a JSON text, strictly.

    Raises
    ------
    WorldModelError
        For duplicate keys, NaN or infinities, more than 32 levels, 64 KiB, or no JSON at all.
    """
    if len(text) > LENGTH:
        raise WorldModelError(f"text has {len(text)} characters: must have at most {LENGTH}")
    try:
        raw = text.decode("utf-8") if isinstance(text, bytes) else text
        value = json.loads(raw, object_pairs_hook=_unique, parse_constant=_constant)
        _check(value, 0)
    except WorldModelError:
        raise
    except (ValueError, RecursionError) as fault:
        raise WorldModelError(f"text is no JSON: {type(fault).__name__}") from fault
    return value


def fingerprint(params: Any) -> str:
    """Return the SHA-256 of the canonical text, in hexadecimal."""
    return hashlib.sha256(canonical(params).encode()).hexdigest()


def encode64(data: bytes) -> str:
    """Return URL-safe base 64 without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode64(text: str) -> bytes:
    """Return the bytes of URL-safe base 64 without padding, only if the text is the canonical one.

    Raises
    ------
    WorldModelError
        For any other text, stray bits at the end included.
    """
    try:
        data = base64.b64decode(
            text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True
        )
    except ValueError as fault:
        raise WorldModelError("text is no URL-safe base 64") from fault
    if encode64(data) != text:
        raise WorldModelError("text is not canonical base 64")
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise WorldModelError("text has a key twice: must have each key once")
    return found


def _constant(name: str) -> Any:
    raise WorldModelError(f"text has {name}: must hold finite numbers")


def _check(value: Any, depth: int) -> None:
    if depth > DEPTH:
        raise WorldModelError(f"value is deeper than {DEPTH} levels")
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise WorldModelError(f"key {key!r}: must be text")
            _check(inner, depth + 1)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check(inner, depth + 1)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise WorldModelError(f"value {value}: must be finite")
    elif value is not None and not isinstance(value, str | int):
        raise WorldModelError(f"value of {type(value).__name__}: must be JSON")
