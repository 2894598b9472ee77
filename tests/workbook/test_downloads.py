"""A server may do what it likes: no more comes than was agreed on, and one line says why."""

import gzip
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from quire.workbook import datasets, downloads
from quire.workbook.chapters import Chapter
from quire.workbook.downloads import Wanted, download
from quire.workbook.errors import UserError

GOOD = b"0123456789" * 100
BOMB = gzip.compress(b"\0" * (1 << 24))


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/circle":
            self.send_response(302)
            self.send_header("Location", "/circle")
            self.end_headers()
            return
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()
            return
        self.send_response(200)
        if self.path == "/announced":
            self.send_header("Content-Length", "999999")
        if self.path == "/bomb":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        try:
            for piece in {"/bomb": [BOMB], "/endless": [GOOD] * 50}.get(self.path, [GOOD]):
                self.wfile.write(piece)
            if self.path == "/drip":
                for _ in range(100):
                    self.wfile.write(b"x")
                    self.wfile.flush()
                    time.sleep(0.1)
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def wanted(url: str, size: int = len(GOOD), body: bytes = GOOD) -> Wanted:
    return Wanted("99/x", url, size, hashlib.sha256(body).hexdigest())


@pytest.mark.parametrize(
    ("path", "size", "words"),
    [
        ("/endless", len(GOOD), "sends more than the registry's 1,000 bytes"),
        ("/announced", len(GOOD), "sends more than the registry's 1,000 bytes"),
        ("/bomb", len(GOOD), "sends more than the registry's 1,000 bytes"),
        ("/good", len(GOOD) + 1, "has 1,000 bytes, the registry says 1,001"),
        ("/circle", len(GOOD), "redirects in a circle"),
        ("/elsewhere", len(GOOD), "leads to, no web address"),
    ],
)
def test_a_faulty_download_is_one_line_and_leaves_nothing(
    address: str, tmp_path: Path, path: str, size: int, words: str
) -> None:
    taken: list[int] = []
    with pytest.raises(UserError, match=words) as fault:
        download(wanted(address + path, size), tmp_path / "x", taken.append)
    assert "\n" not in str(fault.value)
    assert sum(taken) <= size
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999/x", "http://[::1/x", "http://\udc80/x"])
def test_an_address_that_is_none_is_told(tmp_path: Path, url: str) -> None:
    with pytest.raises(UserError) as fault:
        download(wanted(url), tmp_path / "x", lambda more: None)
    assert "sha256" not in str(fault.value)
    assert "space" not in str(fault.value)


def test_a_drip_meets_the_deadline(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "_SECONDS_AT_LEAST", 1)
    started = time.monotonic()
    with pytest.raises(UserError, match=r"sent .* bytes in 1 s"):
        download(wanted(f"{address}/drip", 5000), tmp_path / "x", lambda more: None)
    assert time.monotonic() - started < 5


def register(tiny: Chapter, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    def write(urls: dict[str, str]) -> None:
        data = tiny.notebook.parents[1] / "data"
        data.mkdir()
        digest = hashlib.sha256(GOOD).hexdigest()
        (data / "registry.toml").write_text(
            "\n".join(
                f'["99/{name}"]\nurl = "{url}"\nsha256 = "{digest}"\nbytes = {len(GOOD)}\n'
                f'path = "99-tiny/{name}"\nlicence = "CC0"\ncitation = "Somebody, 2026, X"\n'
                for name, url in urls.items()
            )
        )

    monkeypatch.setenv("QUIRE_DATA_MIRROR", "/nowhere")
    return write


def test_one_that_fails_stops_none_of_the_others(
    tiny: Chapter, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = {"a": f"{address}/circle", "b": f"{address}/good", "c": f"{address}/bomb"}
    register(tiny, monkeypatch)(urls)
    with pytest.raises(UserError, match=r"2 of 3 datasets could not be fetched: .*circle.*more"):
        datasets.fetch()
    assert [row.state for row in datasets.listing()] == ["missing", "here", "missing"]
