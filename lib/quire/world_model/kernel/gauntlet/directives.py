"""Attempts at the kernel's switches: forged directives, higher levels, anything after the kill."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from quire.world_model.kernel import canonical
from quire.world_model.kernel.gauntlet.arena import Arena, Attempt


def forgeries(arena: Arena) -> Iterator[Attempt]:
    """Yield directives that the operator did not sign, or not now, or not for this kernel."""

    def told(message: dict[str, Any]) -> Attempt:
        return lambda: arena.send(message).get("decision") == "ALLOW"

    for k in range(8):
        yield told(arena.directive(3, bytes([k + 100]) * 32))
    genuine = arena.directive(2)
    for level in (3, 4, 6):
        yield told({**genuine, "body": {**genuine["body"], "ceiling": level}})
    for cut in (0, 1, 32, 63):
        yield told(
            {
                **genuine,
                "signature": canonical.encode64(canonical.decode64(genuine["signature"])[:cut]),
            }
        )
    for bit in range(5):
        data = bytearray(canonical.decode64(genuine["signature"]))
        data[bit * 12] ^= 1 << bit
        yield told({**genuine, "signature": canonical.encode64(bytes(data))})
    yield told(arena.directive(3, time=time.time() - 3600))
    yield told(arena.directive(3, time=time.time() + 3600))
    yield told(arena.directive(3, time=int(time.time())))
    yield told(arena.directive(3, kernel="00" * 32))
    yield told(arena.directive(3, extra="field"))
    used = arena.directive(3)
    arena.send(used)
    yield told(used)
    for signature in ("", "=", "AAAA", "é"):
        yield told({**genuine, "signature": signature})


def escalations(arena: Arena) -> Iterator[Attempt]:
    """Yield actions and directives above the ceiling."""
    yield lambda: arena.granted("open_valve", {})
    for level in (4, 5, 6, 7, -1, True, 3.0, "3", None, 10**6):
        yield partial(arena.set_ceiling, level)


def after_kill(arena: Arena) -> Iterator[Attempt]:
    """Yield anything at all after the kill switch."""

    def first() -> bool:
        arena.send({"op": "kill"})
        return arena.granted("read", {})

    yield first
    for level in (0, 1, 2, 3):
        yield partial(arena.set_ceiling, level)
    for action in ("set_flow", "read", "write_file", "modify_code"):
        yield partial(arena.granted, action, {"flow": 1.0, "level": 1.0})
    yield lambda: arena.control(0)
    yield lambda: arena.send({"op": "unkill"}).get("decision") == "ALLOW"
