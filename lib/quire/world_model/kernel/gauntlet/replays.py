"""Attempts with tokens: for something else, elsewhere, too late, twice, of another key."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from quire.world_model.kernel import canonical, ed25519, tokens
from quire.world_model.kernel.gauntlet.arena import Arena, Attempt
from quire.world_model.kernel.nonces import UsedNonces


def claim_replays(arena: Arena) -> Iterator[Attempt]:
    """Yield genuine tokens shown for something else."""
    others = {
        "action": ["read", "set_flow "],
        "run_id": ["run2", ""],
        "subject": ["sio", "intruder"],
        "params_fingerprint": [canonical.fingerprint({"flow": 9.0, "level": 1.0}), ""],
    }
    for name, values in others.items():
        for value in values:

            def attempt(name: str = name, value: str = value) -> bool:
                token, expected = arena.token()
                return arena.accepted(token, {**expected, name: value})

            yield attempt


def target_replays(arena: Arena) -> Iterator[Attempt]:
    """Yield genuine tokens shown to another actuator or target."""
    for k in range(3):

        def elsewhere(k: int = k) -> bool:
            token, expected = arena.token()
            return arena.accepted(token, expected, public=ed25519.public_key(bytes([k]) * 32))

        yield elsewhere
    for level in (2.0, 3.0, 4.0):

        def other(level: float = level) -> bool:
            token, expected = arena.token()
            return arena.accepted(
                token,
                {
                    **expected,
                    "params_fingerprint": canonical.fingerprint({"flow": 1.0, "level": level}),
                },
            )

        yield other


def asynchronous(arena: Arena) -> Iterator[Attempt]:
    """Yield genuine tokens too late, too early, twice, at once."""

    def late() -> bool:
        token, expected = arena.token()
        return arena.accepted(token, expected, now=time.time() + 61)

    def early() -> bool:
        token, expected = arena.token()
        return arena.accepted(token, expected, now=time.time() - 3600)

    def twice() -> bool:
        token, expected = arena.token()
        used: set[str] = set()
        return arena.accepted(token, expected, used=used) and arena.accepted(
            token, expected, used=used
        )

    def together() -> bool:
        token, expected = arena.token()
        used, lock, accepted = set[str](), threading.Lock(), []

        def one() -> None:
            with lock:
                accepted.append(arena.accepted(token, expected, used=used))

        threads = [threading.Thread(target=one) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(accepted) > 1

    yield from (late, early, twice, together)


def anchors(arena: Arena) -> Iterator[Attempt]:
    """Yield tokens of another key."""
    for k in range(3):

        def attempt(k: int = k) -> bool:
            params = {"flow": 99.0, "level": 1.0}
            now, seed = time.time(), bytes([50 + k]) * 32
            claims = {
                "action": "set_flow",
                "aud": tokens.AUDIENCE,
                "expires_at": now + 60,
                "issued_at": now,
                "nonce": f"n{k}",
                "params_fingerprint": canonical.fingerprint(params),
                "run_id": "run",
                "subject": "worker",
            }
            return arena.accepted(tokens.issue(claims, seed), {n: str(claims[n]) for n in claims})

        yield attempt


def after_restart(arena: Arena, file: Path) -> Iterator[Attempt]:
    """Yield genuine tokens that a device has obeyed, shown again after it was started anew.

    With and without a file of used nonces; the last lost its file.
    """

    def again(kept: Path | None, lost: bool = False) -> bool:
        first = UsedNonces(kept)
        token, expected = arena.token()
        if not arena.accepted(token, expected, used=first):
            return True  # a device that obeys nothing proves nothing
        if kept is not None and lost:
            kept.unlink()
        return arena.accepted(token, expected, used=UsedNonces(kept))

    yield partial(again, None)
    yield partial(again, file)
    yield partial(again, file.with_suffix(".lost"), True)
