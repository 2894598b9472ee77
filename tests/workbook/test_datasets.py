"""Datasets arrive whole and verified, or not at all, and every fault is one line."""

import hashlib
import itertools
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from quire.workbook import datasets
from quire.workbook.chapters import Chapter
from quire.workbook.errors import UserError

GOOD = b"n,seconds\n1,0.5\n" * 2000
PATH = "99-tiny/good.csv"


class Server(HTTPServer):
    """Serves GOOD at /good, spoiled at /corrupted, its half at /cut; counts what it is asked."""

    asked = 0


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        body = {"/good": GOOD, "/corrupted": b"x" + GOOD[1:], "/cut": GOOD[: len(GOOD) // 2]}
        if self.path not in body:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(GOOD)))
        self.end_headers()
        self.wfile.write(body[self.path])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _alone(tiny: Chapter, monkeypatch: pytest.MonkeyPatch) -> None:
    """No mirror, no proxy, and nothing used yet."""
    monkeypatch.delenv("QUIRE_DATA_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(datasets, "_used", {})


@pytest.fixture
def root(tiny: Chapter) -> Path:
    return tiny.notebook.parents[1]


def entry(address: str, changes: dict[str, str | None] | None = None) -> str:
    """One table of a registry; ``changes`` are TOML values, None to leave a field out."""
    fields: dict[str, str | None] = {
        "url": f'"{address}"',
        "sha256": f'"{hashlib.sha256(GOOD).hexdigest()}"',
        "bytes": str(len(GOOD)),
        "path": f'"{PATH}"',
        "licence": '"CC0-1.0"',
        "citation": '"Somebody, Something, 2026"',
    } | (changes or {})
    lines = [f"{key} = {value}" for key, value in fields.items() if value is not None]
    return "\n".join(['["99/good.csv"]', *lines, ""])


def register(root: Path, text: str) -> None:
    (root / "data").mkdir(exist_ok=True)
    (root / "data" / "registry.toml").write_text(text)


def address(server: Server, what: str) -> str:
    return f"http://127.0.0.1:{server.server_port}/{what}"


def files(root: Path) -> list[str]:
    """What lies under data/ besides the registry."""
    found = [path for path in (root / "data").rglob("*") if path.is_file()]
    return [path.name for path in found if path.name != "registry.toml"]


def test_a_file_is_fetched_once_and_then_used(root: Path, server: Server) -> None:
    register(root, entry(address(server, "good")))
    assert not datasets.available("99/good.csv")
    told: list[tuple[int, int]] = []
    (path,) = datasets.fetch("99/good.csv", on_progress=lambda *counts: told.append(counts))
    assert path == root / "data" / PATH
    assert path.read_bytes() == GOOD
    assert path.stat().st_mode & 0o777 == 0o644
    assert told[-1] == (len(GOOD), len(GOOD))
    assert all(before[0] <= after[0] for before, after in itertools.pairwise(told))
    assert datasets.fetch() == (path,)
    assert server.asked == 1
    assert datasets.available("99/good.csv")
    assert datasets.used() == {}
    assert datasets.path("99/good.csv") == path
    assert datasets.used() == {"99/good.csv": hashlib.sha256(GOOD).hexdigest()}
    (holding,) = datasets.verify()
    assert (holding.name, holding.state, holding.place) == ("99/good.csv", "here", str(path))


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("corrupted", "does not have the registry's sha256"),
        ("cut", "was cut short"),
        ("missing", "answered 404"),
    ],
)
def test_a_bad_download_is_one_line_and_leaves_nothing(
    root: Path, server: Server, what: str, says: str
) -> None:
    register(root, entry(address(server, what)))
    with pytest.raises(UserError) as caught:
        datasets.fetch("99/good.csv")
    assert says in str(caught.value)
    assert "99/good.csv" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert files(root) == []
    assert not datasets.available("99/good.csv")


def test_a_bad_download_does_not_harm_a_file_that_was_there(root: Path, server: Server) -> None:
    register(root, entry(address(server, "cut")))
    spoiled = root / "data" / PATH
    spoiled.parent.mkdir()
    spoiled.write_bytes(b"older")
    with pytest.raises(UserError, match="cut short"):
        datasets.fetch()
    assert spoiled.read_bytes() == b"older"
    assert files(root) == [spoiled.name]


def test_no_network_is_one_line_that_names_the_mirror(root: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: refuses
        register(root, entry(f"http://127.0.0.1:{taken.getsockname()[1]}/good"))
        with pytest.raises(UserError, match=r"no answer from .*QUIRE_DATA_MIRROR"):
            datasets.fetch("99/good.csv")
    assert files(root) == []


def test_missing_and_unknown_datasets_say_what_to_do(root: Path) -> None:
    register(root, entry("http://127.0.0.1:1/good"))
    with pytest.raises(UserError, match=r"quire data fetch 99/good.csv"):
        datasets.path("99/good.csv")
    for ask in (datasets.path, datasets.fetch, datasets.available, datasets.find):
        with pytest.raises(UserError, match=r"no dataset '99/other.csv'.*quire data list"):
            ask("99/other.csv")
    (holding,) = datasets.listing()
    assert (holding.state, holding.place) == ("missing", "")
    assert datasets.verify() == ()


def test_a_corrupt_file_here_is_told_not_used_and_fetched_anew(root: Path, server: Server) -> None:
    register(root, entry(address(server, "good")))
    file = root / "data" / PATH
    file.parent.mkdir()
    file.write_bytes(b"x" + GOOD[1:])
    assert not datasets.available("99/good.csv")
    with pytest.raises(UserError, match="does not have the registry's sha256"):
        datasets.path("99/good.csv")
    assert datasets.used() == {}
    assert [holding.state for holding in datasets.verify()] == ["corrupt"]
    datasets.fetch()
    assert datasets.path("99/good.csv").read_bytes() == GOOD


@pytest.mark.parametrize("layout", ["variable", "parent", "beside"])
def test_a_mirror_stands_in_for_the_network(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    register(root, entry("http://127.0.0.1:1/good"))
    shared = root.parent / "shared" if layout == "beside" else tmp_path / "mirror"
    file = shared / "data" / PATH
    file.parent.mkdir(parents=True)
    file.write_bytes(GOOD)
    if layout != "beside":
        assert not datasets.available("99/good.csv")
        mirror = shared / "data" if layout == "variable" else shared
        monkeypatch.setenv("QUIRE_DATA_MIRROR", str(mirror))
    assert datasets.available("99/good.csv")
    assert datasets.path("99/good.csv") == file
    assert [holding.state for holding in datasets.listing()] == ["in mirror"]
    assert files(root) == []
    (path,) = datasets.fetch("99/good.csv")
    assert path == root / "data" / PATH
    assert path.read_bytes() == GOOD

    path.unlink()
    file.write_bytes(b"x" + GOOD[1:])
    assert not datasets.available("99/good.csv")
    with pytest.raises(UserError, match="mend the mirror"):
        datasets.fetch("99/good.csv")
    assert files(root) == []


def test_without_a_writable_checkout_the_cache_is_used(
    root: Path, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(root, entry(address(server, "good")))
    monkeypatch.setattr(datasets.os, "access", lambda place, mode: False)
    monkeypatch.setenv("QUIRE_CACHE", str(tmp_path / "cache" / "quire"))
    (path,) = datasets.fetch()
    assert path == tmp_path / "cache" / "quire" / PATH
    assert datasets.path("99/good.csv") == path
    assert files(root) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sha256": None}, "sha256"),
        ({"sha256": '"3462"'}, "sha256"),
        ({"url": '"ftp://somewhere/x"'}, "url"),
        ({"bytes": "0"}, "bytes"),
        ({"path": '"99-tiny/../../escape"'}, "path"),
        ({"path": '"/etc/passwd"'}, "path"),
        ({"licence": None}, "licence"),
        ({"citation": None}, "citation"),
        ({"md5": '"1"'}, "md5"),
    ],
)
def test_a_faulty_entry_is_one_line_that_names_file_entry_and_field(
    root: Path, changes: dict[str, str | None], says: str
) -> None:
    register(root, entry("http://127.0.0.1:1/good", changes))
    with pytest.raises(UserError) as caught:
        datasets.registered()
    line = str(caught.value)
    assert line.startswith(f'data/registry.toml, entry "99/good.csv": {says}:')
    assert "\n" not in line


@pytest.mark.parametrize("text", ["[broken", '["99/a.csv"]\n["99/a.csv"]\n', "loose = 3\n"])
def test_a_faulty_registry_is_one_line(root: Path, text: str) -> None:
    register(root, text)
    with pytest.raises(UserError, match=r"data/registry\.toml") as caught:
        datasets.registered()
    assert "\n" not in str(caught.value)


def test_a_lost_registry_is_one_line(root: Path) -> None:
    with pytest.raises(UserError, match=r"registry\.toml is missing"):
        datasets.registered()


def test_the_books_own_registry_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUIRE_HOME")
    known = datasets.registered()
    assert len(known) >= 21
    for name, dataset in known.items():
        assert Path(dataset.path).suffix == Path(name).suffix, name
        assert dataset.path.startswith(f"{name[:2]}-")
        # A branch moves; a commit does not.
        assert any(len(step) == 40 for step in dataset.url.split("/")), name
    assert len({dataset.path for dataset in known.values()}) == len(known)
