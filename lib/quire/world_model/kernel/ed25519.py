"""Ed25519 signatures (RFC 8032): by the package ``cryptography`` where it is, else by hand.

The code by hand is the RFC's own construction in extended coordinates. It is not constant in time,
and serves verification and tests; it refuses a scalar S that is not reduced.
"""

from __future__ import annotations

import hashlib
from functools import cache, lru_cache

from quire.world_model.errors import WorldModelError

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
_ROOT = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]


def public_key(seed: bytes, by_hand: bool = False) -> bytes:
    """Return the 32 bytes of the public key of a 32-byte seed."""
    _length("seed", seed, 32)
    if not by_hand and _library() is not None:
        return bytes(
            _library().Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
        )
    scalar, _ = _expand(seed)
    return _compress(_multiply(scalar, _BASE))


def sign(seed: bytes, message: bytes, by_hand: bool = False) -> bytes:
    """Return the 64 bytes of the signature of a message."""
    _length("seed", seed, 32)
    if not by_hand and _library() is not None:
        return bytes(_private(seed).sign(message))
    scalar, prefix = _expand(seed)
    key = _compress(_multiply(scalar, _BASE))
    r = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % L
    point = _compress(_multiply(r, _BASE))
    h = int.from_bytes(hashlib.sha512(point + key + message).digest(), "little") % L
    return point + ((r + h * scalar) % L).to_bytes(32, "little")


def verify(public: bytes, message: bytes, signature: bytes, by_hand: bool = False) -> bool:
    """Return whether a signature is that of the message under the public key."""
    if len(public) != 32 or len(signature) != 64:
        return False
    if int.from_bytes(signature[32:], "little") >= L:
        return False
    if not by_hand and _library() is not None:
        from cryptography.exceptions import InvalidSignature

        try:
            _public(public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True
    key, point = _decompress(public), _decompress(signature[:32])
    if key is None or point is None:
        return False
    s = int.from_bytes(signature[32:], "little")
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    left, right = _multiply(s, _BASE), _add(point, _multiply(h, key))
    return _equal(left, right)


@cache
def _library():  # type: ignore[no-untyped-def]  # the module, or None
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        return None
    return ed25519


@lru_cache(maxsize=8)
def _private(seed):  # type: ignore[no-untyped-def]
    return _library().Ed25519PrivateKey.from_private_bytes(seed)


@lru_cache(maxsize=64)
def _public(key):  # type: ignore[no-untyped-def]
    return _library().Ed25519PublicKey.from_public_bytes(key)


def _length(name: str, value: bytes, length: int) -> None:
    if not isinstance(value, bytes) or len(value) != length:
        raise WorldModelError(f"{name}: must be {length} bytes")


def _expand(seed: bytes) -> tuple[int, bytes]:
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little") & ((1 << 254) - 8) | (1 << 254)
    return scalar, digest[32:]


def _add(a: Point, b: Point) -> Point:
    p = (a[1] - a[0]) * (b[1] - b[0]) % P
    q = (a[1] + a[0]) * (b[1] + b[0]) % P
    r, s = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = q - p, s - r, s + r, q + p
    return e * f % P, g * h % P, f * g % P, e * h % P


def _multiply(scalar: int, point: Point) -> Point:
    total = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point = _add(point, point)
        scalar >>= 1
    return total


def _equal(a: Point, b: Point) -> bool:
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def _compress(point: Point) -> bytes:
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _recover(y: int, sign: int) -> int | None:
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if square == 0:
        return None if sign else 0
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * _ROOT % P
    if (x * x - square) % P:
        return None
    return P - x if x & 1 != sign else x


def _decompress(data: bytes) -> Point | None:
    number = int.from_bytes(data, "little")
    y = number & ((1 << 255) - 1)
    x = _recover(y, number >> 255)
    return None if x is None else (x, y, 1, x * y % P)


_Y = 4 * pow(5, P - 2, P) % P
_X = _recover(_Y, 0) or 0
_BASE: Point = (_X, _Y, 1, _X * _Y % P)
