"""Attempts by messages: malformed ones, and requests that are good but for one or two things."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from quire.world_model.kernel import canonical
from quire.world_model.kernel.gauntlet.arena import Arena, Attempt


def malformed(arena: Arena, seed: int) -> Iterator[Attempt]:
    """Yield messages that are no requests, and forged capabilities."""
    rng = np.random.default_rng(seed)
    good = arena.client.request("set_flow", {"flow": 1.0, "level": 1.0})
    text = json.dumps({"op": "authorize", "request": good})
    lines = [
        b"",
        b"null",
        b"[]",
        b"1e999",
        b"{",
        b'{"op":"authorize"}',
        b"\xff\xfe",
        b'{"op":["authorize"]}',
        text.replace('"op"', '"op":"head","op"').encode(),
        text.replace("1.0", "NaN").encode(),
        text.replace("1.0", "Infinity").encode(),
        b"[" * 5000 + b"]" * 5000,
        b'"' + b"a" * 70_000 + b'"',
    ]
    for line in lines:
        yield partial(arena.raw, line)
    for name in good:
        strange: tuple[Any, ...] = (None, 1, [], {}, "", " x", "x\n", "é")
        for value in strange:
            yield partial(
                arena.raw,
                json.dumps({"op": "authorize", "request": {**good, name: value}}).encode(),
            )
    capability = good["capability"]
    for _ in range(37):
        place = int(rng.integers(len(capability)))
        other = (
            capability[:place]
            + ("A" if capability[place] != "A" else "B")
            + capability[place + 1 :]
        )
        yield partial(arena.granted, "set_flow", {"flow": 1.0, "level": 1.0}, capability=other)
    for actions in (["shutdown"], ["set_flow", "shutdown"], "set_flow", None):
        message = {
            "op": "attenuate",
            "capability": capability,
            "subject": "sio",
            "actions": actions,
        }
        yield partial(arena.allows, message)


def fuzzed(arena: Arena, seed: int, count: int) -> Iterator[Attempt]:
    """Yield requests that are good but for one or two things that each forbid them."""
    rng = np.random.default_rng(seed + 1)
    for _ in range(count):
        params: dict[str, Any] = {
            "flow": float(rng.uniform(0, 10)),
            "level": float(rng.uniform(0, 7)),
        }
        changed: dict[str, Any] = {}
        action = "set_flow"
        for kind in rng.choice(9, size=int(rng.integers(1, 3)), replace=False):
            if kind == 0:
                params["flow"] = float(rng.choice([-1e-9, 10.000001, 1e300, -5.0]))
            elif kind == 1:
                params["level"] = float(rng.uniform(9.01, 100))
            elif kind == 2:
                changed["subject"] = str(
                    rng.choice(["intruder", "root", "WORKER", "worker2", "sio"])
                )
            elif kind == 3:
                action = str(rng.choice(["shutdown", "open_valve", "SET_FLOW", "exec"]))
            elif kind == 4:
                changed["params_fingerprint"] = f"{int(rng.integers(1 << 62)):064x}"
            elif kind == 5:
                changed["capability"] = (
                    canonical.encode64(rng.bytes(40)) + "." + canonical.encode64(rng.bytes(32))
                )
            elif kind == 6:
                params["flow"] = (
                    rng.choice(["1", "0x1"]) if rng.random() < 0.5 else bool(rng.random() < 0.5)
                )
            elif kind == 7:
                params["path"] = str(arena.protected)
            else:
                changed["run_id"] = str(rng.choice(["", " ", "a\n", "é", "x" * 300]))
        params = {k: (str(v) if isinstance(v, np.str_) else v) for k, v in params.items()}
        yield partial(arena.granted, action, params, **changed)
