"""Tokens: what the kernel grants, in the wire form of the authors' kernel.

``b64url(payload).b64url(signature)`` with the signature over the *base 64 text* of the payload,
which is canonical JSON. A token is for one action with one set of parameters, once, for a minute.
"""

from __future__ import annotations

import hmac
import math
from collections.abc import MutableSet
from typing import Any

from quire.world_model.errors import (
    TokenExpired,
    TokenForged,
    TokenRefused,
    TokenReplayed,
    WorldModelError,
)
from quire.world_model.kernel import canonical, ed25519

AUDIENCE, LIFETIME_S = "kernel/authorize", 60.0
NAMES = (
    "action",
    "aud",
    "expires_at",
    "issued_at",
    "nonce",
    "params_fingerprint",
    "run_id",
    "subject",
)


def issue(claims: dict[str, Any], seed: bytes) -> str:
    """Return the token of claims, signed.

    Raises
    ------
    WorldModelError
        When a claim is missing, or there is one too many.
    """
    if tuple(sorted(claims)) != NAMES:
        raise WorldModelError(f"claims = {sorted(claims)}: must be {NAMES}")
    payload = canonical.encode64(canonical.canonical(claims).encode())
    return payload + "." + canonical.encode64(ed25519.sign(seed, payload.encode()))


def verify(
    token: str,
    public: bytes,
    now: float,
    expected: dict[str, str],
    used: MutableSet[str],
    leeway_s: float = 0.0,
) -> dict[str, Any]:
    """Return the claims of a token that authorises exactly what is expected, and mark it used.

    Parameters
    ----------
    token
        The text.
    public
        The kernel's public key.
    now
        Seconds since the epoch.
    expected
        ``action``, ``run_id``, ``subject`` and ``params_fingerprint`` of what is to be done.
    used
        Nonces that have been used; this one's is added. Where it says since when it forgets nothing
        (`nonces.UsedNonces`), a token that was issued before is taken for a used one.
    leeway_s
        How far clocks may differ.

    Raises
    ------
    TokenForged
        For another signature, another form, or text that is not the canonical one.
    TokenExpired
        Outside the token's time.
    TokenReplayed
        When its nonce has been used, or may have been before the device's memory begins.
    TokenRefused
        When it was made for something else.
    """
    if not isinstance(token, str) or token.count(".") != 1 or len(token) > canonical.LENGTH:
        raise TokenForged("token: must be two parts joined by a dot")
    payload, signature = token.split(".")
    try:
        good = ed25519.verify(public, payload.encode("ascii"), canonical.decode64(signature))
        if not good:
            raise TokenForged("token: the signature is not the kernel's")
        data = canonical.decode64(payload)
        claims = canonical.read(data)
        exact = canonical.canonical(claims).encode() == data
    except TokenForged:
        raise
    except (WorldModelError, UnicodeError) as fault:
        raise TokenForged(f"token: {fault}") from fault
    if not exact or not isinstance(claims, dict) or tuple(sorted(claims)) != NAMES:
        raise TokenForged("token: its claims are not those of a token")
    if claims["aud"] != AUDIENCE:
        raise TokenRefused(f"token: its audience is {claims['aud']!r}, not {AUDIENCE!r}")
    for name in ("action", "run_id", "subject", "params_fingerprint"):
        wanted = str(expected.get(name)).encode("utf-8", "surrogatepass")
        if not hmac.compare_digest(str(claims[name]).encode(), wanted):
            raise TokenRefused(f"token: it is for another {name}")
    begins, ends = claims["issued_at"], claims["expires_at"]
    if (
        not isinstance(begins, float)
        or not isinstance(ends, float)
        or not ends - begins <= LIFETIME_S
    ):
        raise TokenForged("token: its times are not those of a token")
    if not all(isinstance(t, int | float) and math.isfinite(t) for t in (now, leeway_s)):
        raise TokenExpired("token: the clock shows no time")
    if not begins - leeway_s <= now < ends + leeway_s:
        raise TokenExpired("token: its time is over, or has not come")
    if begins <= getattr(used, "since", -math.inf) + leeway_s:
        raise TokenReplayed("token: it was issued before this device's memory begins")
    if claims["nonce"] in used:
        raise TokenReplayed("token: it has been used")
    used.add(claims["nonce"])
    return claims
