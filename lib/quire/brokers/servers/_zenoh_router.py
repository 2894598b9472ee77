"""A Zenoh router in a process of its own, out of the Python package; run by path with a port."""

import json
import signal
import sys
import threading

import zenoh


def _main(port: int) -> None:
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    config = zenoh.Config()
    for key, value in {
        "mode": "router",
        "listen/endpoints": [f"tcp/127.0.0.1:{port}"],
        "scouting/multicast/enabled": False,
        "transport/unicast/max_sessions": 65_536,
        "adminspace/enabled": False,
    }.items():
        config.insert_json5(key, json.dumps(value))
    with zenoh.open(config):
        while not ended.wait(1.0):
            pass


if __name__ == "__main__":
    _main(int(sys.argv[1]))
