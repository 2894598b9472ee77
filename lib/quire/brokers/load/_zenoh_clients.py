"""Clients of Zenoh: its own library in this process, as nobody else speaks its protocol.

A session has threads of its own, so at most `SESSIONS` are opened on either side and shared out.
"""

import json
from time import monotonic_ns
from typing import Any

from quire.brokers.load._clients import Record

SESSIONS = 10


class ZenohPublisher:
    """A publisher in a session."""

    def __init__(self, session: Any, topic: str) -> None:
        self.session = session
        self.publisher = self.session.declare_publisher(topic)
        self.unconfirmed: dict[int, bytes] = {}

    def send(self, payload: bytes) -> None:
        """Publish."""
        self.publisher.put(payload)

    def close(self) -> None:
        """End the session, which others may share."""
        if not self.session.is_closed():
            self.session.close()


class ZenohSubscriber:
    """A subscriber in a session, whose callback runs in a thread of the library."""

    def __init__(self, session: Any, topic: str, number: int, record: Record) -> None:
        self.session = session

        def came(sample: Any) -> None:
            now = monotonic_ns()
            record.add(number, bytes(sample.payload), now)

        self.subscriber = self.session.declare_subscriber(topic, came)

    def close(self) -> None:
        """End the session, which others may share."""
        if not self.session.is_closed():
            self.session.close()


def open_session(port: int) -> Any:
    """Return a new session with the router at a port of 127.0.0.1."""
    import zenoh

    config = zenoh.Config()
    for key, value in {
        "mode": "client",
        "connect/endpoints": [f"tcp/127.0.0.1:{port}"],
        "scouting/multicast/enabled": False,
    }.items():
        config.insert_json5(key, json.dumps(value))
    return zenoh.open(config)
