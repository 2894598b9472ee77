"""Where attempts are made: a kernel under a policy, an agent's client, and protected files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, MutableSet
from dataclasses import replace
from pathlib import Path
from typing import Any

from quire.world_model.errors import KernelUnavailable, TokenRefused
from quire.world_model.kernel import canonical, ed25519, tokens
from quire.world_model.kernel.client import Kernel
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
