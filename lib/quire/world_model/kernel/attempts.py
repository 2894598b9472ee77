"""Single attempts against a running kernel, class by class; see ``gauntlet``."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, MutableSet
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from quire.world_model.errors import KernelUnavailable, TokenRefused
from quire.world_model.kernel import canonical, ed25519, tokens
from quire.world_model.kernel.client import Kernel
from quire.world_model.kernel.nonces import UsedNonces
from quire.world_model.kernel.policy import Barrier, Policy

OPERATOR = bytes(range(32))  # the seed of the operator of these experiments
Attempt = Callable[[], bool]
WEAKER: dict[str, dict[str, Any]] = {
    "no envelope": {"envelope": {}},
    "no barrier": {"barriers": ()},
    "nothing protected": {"protected": ()},
    "ceiling at A6": {"ceiling": 6},
    "modules may change": {"immutable_modules": ()},
    "another operator": {"operator": ed25519.public_key(bytes([100]) * 32).hex()},
}


def policy(protected: tuple[str, ...]) -> Policy:
    """Return the policy of the gauntlet: one worker that may fill a tank, and little else."""
    return Policy(
        allow_subjects=("worker", "sio"),
        deny_subjects=("intruder",),
        allow_actions=("set_flow", "read", "write_file", "modify_code", "open_valve"),
        deny_actions=("shutdown",),
        levels={"set_flow": 2, "read": 0, "write_file": 2, "modify_code": 3, "open_valve": 5},
        ceiling=3,
        envelope={"set_flow": {"flow": (0.0, 10.0)}},
        barriers=(Barrier("set_flow", {"level": -1.0, "flow": -0.1}, -9.0),),
        protected=protected,
        operator=ed25519.public_key(OPERATOR).hex(),
    )


class Arena:
    """A kernel with a policy, a client with a capability, and files that are protected."""

    def __init__(self, folder: Path, weakened: str | None = None) -> None:
        self.folder = folder
        self.protected = folder / "kernel_binary"
        self.protected.write_text("kernel")
        rules = policy((str(self.protected), str(folder / "keys")))
        self.kernel = Kernel(replace(rules, **WEAKER[weakened]) if weakened else rules)

    def __enter__(self) -> Arena:
        self.kernel.__enter__()
        self.client = self.kernel.client(
            "worker", ("set_flow", "read", "write_file", "modify_code", "open_valve")
        )
        return self

    def __exit__(self, *fault: object) -> None:
        self.client.connection.close()
        self.kernel.stop()

    def send(self, message: Any) -> dict[str, Any]:
        """Return the answer to a message; no answer is a denial."""
        try:
            return self.client.connection.ask(message)
        except KernelUnavailable:
            return {"decision": "DENY", "reason": "kernel_unavailable"}

    def granted(self, action: str, params: dict[str, Any], **changed: Any) -> bool:
        """Return whether a request is granted; ``changed`` overrides its fields."""
        request = {**self.client.request(action, params), **changed}
        return self.send({"op": "authorize", "request": request}).get("decision") == "ALLOW"

    def allows(self, message: dict[str, Any]) -> bool:
        """Return whether a message is granted."""
        return self.send(message).get("decision") == "ALLOW"

    def set_ceiling(self, level: Any) -> bool:
        """Return whether the operator's directive for a level, signed now, is granted."""
        return self.allows(self.directive(level))

    def raw(self, line: bytes) -> bool:
        """Return whether a line of bytes is granted."""
        try:
            return self.client.connection.ask_raw(line).get("decision") == "ALLOW"
        except KernelUnavailable:
            return False

    def control(self, k: int) -> bool:
        """Return whether a permitted request is granted, as it should be."""
        return self.granted("set_flow", {"flow": float(k % 9), "level": 1.0}, run_id=f"control-{k}")

    def token(self, action: str = "set_flow", **params: Any) -> tuple[str, dict[str, str]]:
        """Return a genuine token, and what it is for."""
        given = params or {"flow": 1.0, "level": 1.0}
        decision = self.client.authorize(action, given)
        expected = {
            "action": action,
            "run_id": "run",
            "subject": "worker",
            "params_fingerprint": canonical.fingerprint(given),
        }
        return str(decision.token), expected

    def accepted(
        self,
        token: str,
        expected: dict[str, str],
        public: bytes | None = None,
        now: float | None = None,
        used: MutableSet[str] | None = None,
    ) -> bool:
        """Return whether the actuator, which knows the kernel's key, accepts a token."""
        try:
            tokens.verify(
                token,
                public or self.kernel.public,
                now or time.time(),
                expected,
                set() if used is None else used,
            )
        except TokenRefused:
            return False
        return True

    def directive(self, level: Any, seed: bytes = OPERATOR, **changed: Any) -> dict[str, Any]:
        """Return a directive of the operator, or of another key."""
        body = {
            "ceiling": level,
            "nonce": os.urandom(8).hex(),
            "time": time.time(),
            "kernel": self.kernel.public.hex(),
            **changed,
        }
        signature = ed25519.sign(seed, canonical.canonical(body).encode())
        return {"op": "directive", "body": body, "signature": canonical.encode64(signature)}


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


def evasions(arena: Arena) -> Iterator[Attempt]:
    """Yield writes and changes that reach what is protected by another way."""
    folder, kept = arena.folder, arena.protected
    link, hard, directory = folder / "link", folder / "hard", folder / "way"
    link.symlink_to(kept)
    os.link(kept, hard)
    directory.symlink_to(folder)
    chained = folder / "chained"
    chained.symlink_to(link)
    paths = [
        str(kept),
        str(link),
        str(hard),
        str(chained),
        str(directory / kept.name),
        f"{folder}/./{kept.name}",
        f"{folder}/x/../{kept.name}",
        f"{folder}//{kept.name}",
        str(folder / "keys"),
        str(folder / "keys" / "a"),
        f"{kept}\x00.txt",
        f"/proc/self/root{kept}",
    ]
    for path in paths:
        yield partial(arena.granted, "write_file", {"path": path})
    good = dict.fromkeys(("static", "obligations", "sandbox", "regression"), True)
    for module in (
        "kernel",
        "Kernel",
        "KERNEL",
        "policy",
        "ledger",
        "keys",
        "ｋernel",
        "kernel.py",
        "",
        "kernel ",
    ):
        yield partial(
            arena.granted, "modify_code", {"module": module, "by": "sio", "verification": good}
        )
    yield lambda: arena.granted("modify_code", {"module": "tank", "by": "sio"})
    yield lambda: arena.granted(
        "modify_code", {"module": "tank", "by": "sio", "verification": {**good, "sandbox": 1}}
    )


def disguises(arena: Arena) -> Iterator[Attempt]:
    """Yield writes that name what is protected in a form that a plain comparison overlooks."""
    folder, kept = arena.folder, str(arena.protected)
    name = arena.protected.name
    wide = "".join(chr(ord(c) + 0xFEE0) if c.isalpha() else c for c in name)
    hidden: tuple[Any, ...] = (
        [kept],
        {"a": {"b": [kept]}},
        {kept: 1},
        f"file://{kept}",
        f"file://localhost{kept}",
        f" {kept} ",
        str(folder / wide),
        name,
        f"./{name}",
        f"../x/{name.upper()}",
        str(folder),
        str(folder / name.upper()),
    )
    for target in hidden:
        yield partial(arena.granted, "write_file", {"target": target})


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
