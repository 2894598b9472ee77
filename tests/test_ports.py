"""Ports that are found are free, differ, and are none that outgoing calls are given."""

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from quire import ports
from quire.ports import free_port, is_free


def test_a_port_is_not_given_out_twice():
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: free_port(), range(100)))
    assert len(set(found)) == 100


def test_successive_ports_are_all_free():
    first = free_port(20)
    assert all(is_free(port) for port in range(first, first + 20))
    assert free_port() not in range(first, first + 20)


def test_outgoing_calls_take_no_port_that_is_found():
    with socket.create_server(("127.0.0.1", free_port())) as server:
        with socket.create_connection(server.getsockname()) as outgoing:
            source = outgoing.getsockname()[1]
        assert max(free_port() for _ in range(50)) < ports._first_outgoing() <= source


def test_a_port_with_a_server_is_not_free():
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not is_free(server.getsockname()[1])


def test_when_no_port_is_free_it_is_told(monkeypatch):
    monkeypatch.setattr(ports, "is_free", lambda port: False)
    with pytest.raises(OSError, match="2 successive ports"):
        free_port(2)


@pytest.mark.parametrize("told", ["32768\t60999\n", "nonsense", None])
def test_without_the_systems_range_that_of_iana_is_used(monkeypatch, tmp_path, told):
    known = Path(tmp_path, "range")
    if told is not None:
        known.write_text(told)
    monkeypatch.setattr(ports, "_OUTGOING", known)
    assert ports._first_outgoing() == (32_768 if told and told[0] == "3" else 49_152)
