"""Bundles: what is in one, that a changed one is refused in a line, and that it comes out again."""

import csv
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import yaml

from quire.workbook import bundles, execution, peers
from quire.workbook.bundles import archive
from quire.workbook.chapters import Chapter, find_chapter
from quire.workbook.cli import main
from quire.workbook.errors import UserError
from quire.workbook.home import PACKAGE
from quire.workbook.points import Point
from quire.workbook.tables import parquet, tabulate

from .conftest import write_chapter

ROOT = PACKAGE.parents[1]


def furnish(root: Path) -> None:
    """Put into a small workbook what every checkout has."""
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, root)
    (root / "data").mkdir()
    (root / "data" / "registry.toml").write_text("")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a chapter that was run."""
    root = tmp_path_factory.mktemp("bundled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUIRE_HOME", str(root / "workbook"))
        chapter = write_chapter(root / "workbook")
        furnish(root / "workbook")
        execution.run(chapter, chapter.notebook)
        return bundles.bundle("99", root / "tiny.zip")


def members(path: Path) -> dict[str, bytes]:
    return archive.unpack(path)


def test_a_bundle_holds_the_run_and_what_it_needs(made: Path) -> None:
    found = members(made)
    ledger = json.loads(found["ledger.json"])
    assert [entry["verdict"] for entry in ledger] == ["reproduced", "reproduced", "not run here"]
    rows = list(csv.DictReader(io.StringIO(found["ledger.csv"].decode())))
    assert [row["id"] for row in rows] == ["99.1", "99.2", "99.3"]
    run = json.loads(found["run.json"])
    assert (run["chapter"], run["points"], run["datasets"]) == ("99_tiny", [{}], [])
    assert {"notebooks/99_tiny.ipynb", "notebooks/99_tiny.yml", "README.md"} <= set(found)
    assert found["lib/quire/workbook/ledger.py"] == (PACKAGE / "workbook/ledger.py").read_bytes()
    assert not any("/isa/" in name or "__pycache__" in name for name in found)
    lines = found["packages.txt"].decode().splitlines()
    assert lines[0].startswith("# Python 3.") and any(x.startswith("papermill==") for x in lines)
    assert not any(line.startswith("pytest") for line in lines)


def test_it_describes_itself_to_machines_and_reviewers(made: Path) -> None:
    found = members(made)
    graph = {e["@id"]: e for e in json.loads(found["ro-crate-metadata.json"])["@graph"]}
    action = graph["#run"]
    assert graph["./"]["conformsTo"] == {"@id": "https://w3id.org/ro/wfrun/process/0.5"}
    assert graph[action["instrument"]["@id"]]["@type"] == "SoftwareApplication"
    results = {result["@id"] for result in action["result"]}
    assert results == {"notebooks/99_tiny.ipynb", "ledger.json", "ledger.csv"}
    listed = {part["@id"] for part in graph["./"]["hasPart"]}
    assert listed == set(found) - {"ro-crate-metadata.json"}
    check = yaml.safe_load(found["codecheck.yml"])
    assert check["paper"]["title"] == "A tiny paper"
    assert {each["file"] for each in check["manifest"]} == results


@pytest.mark.parametrize("change", ["none", "instrument", "profile"])
def test_the_official_validator_accepts_it_and_no_broken_one(
    change: str, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("QUIRE_HOME", raising=False)
    name = "rocrate-validator"
    if not peers.available(name):
        if not os.environ.get("CI"):
            pytest.skip(f"needs the peer {name}: quire peers install {name}")
        try:
            peers.install(name)
        except UserError as fault:
            pytest.skip(str(fault))
    for member, data in members(made).items():
        file = tmp_path / member
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    described = tmp_path / "ro-crate-metadata.json"
    graph = json.loads(described.read_text())
    for entity in graph["@graph"]:
        if change == "instrument" and entity["@id"] == "#run":
            del entity["instrument"]
        if change == "profile" and entity["@id"] == "./":
            del entity["datePublished"]
    described.write_text(json.dumps(graph))
    request = {"call": "validate", "folder": str(tmp_path), "profile": "process-run-crate"}
    answer, _ = peers.call(name, request)
    assert answer["passed"] == (change == "none"), answer["issues"]


def test_the_same_run_gives_the_same_bytes() -> None:
    one = archive.pack({"a": b"1", "b/c": b"2"})
    assert one == archive.pack({"a": b"1", "b/c": b"2"})


def test_a_replay_gives_every_claim_an_answer(made: Path) -> None:
    lines: list[str] = []
    answers = bundles.verify(made, fresh=False, tell=lines.append)
    assert [(a.id, a.answer) for a in answers] == [
        ("99.1", "same bytes"),
        ("99.2", "same bytes"),
        ("99.3", "same bytes"),
    ]
    assert "all as the manifest says" in lines[0]
    assert bundles.verify(made, replay=False) == ()


def repacked(made: Path, path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """Write a bundle whose maker changed it and its manifest: only a replay can tell."""
    found = members(made)
    change(found)
    path.write_bytes(archive.pack(found))
    return path


def test_a_forged_measurement_differs_and_a_broken_run_could_not_run(
    made: Path, tmp_path: Path
) -> None:
    name = "notebooks/99_tiny.ipynb"

    def forge(found: dict[str, bytes]) -> None:
        found[name] = found[name].replace(b'"measured": 9.0', b'"measured": 9.5')

    answers = bundles.verify(repacked(made, tmp_path / "forged.zip", forge), fresh=False)
    assert [a.answer for a in answers] == ["same bytes", "differs", "same bytes"]
    assert "9.5" in answers[1].why

    def shatter(found: dict[str, bytes]) -> None:
        found[name] = found[name].replace(b"size * size", b"siez * size")

    answers = bundles.verify(repacked(made, tmp_path / "broken.zip", shatter), fresh=False)
    assert {a.answer for a in answers} == {"could not run"}
    assert "NameError" in answers[0].why


def test_a_study_is_replayed_point_by_point(
    tiny: Chapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(tiny.notebook.parents[1])
    points = [
        Point(f"k{size}", {"size": size, "word": "plain"}, "done", 1.0, (
            {"id": "99.2", "verdict": "reproduced", "outcome": "held", "measured": value,
             "interval": None},))
        for size, value in ((2, 4.0), (3, 10.0))
    ]  # fmt: skip
    table = tmp_path / "s.parquet"
    table.write_bytes(parquet(tabulate(tiny, points), {"chapter": "99_tiny", "packages": {}}))
    answers = bundles.verify(bundles.bundle(str(table), tmp_path / "s.zip"), fresh=False)
    assert [(a.point, a.answer) for a in answers] == [(0, "same bytes"), (1, "differs")]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("../out.txt", "leaves the folder"),
        ("/etc/out", "leaves the folder"),
        ("a/../../out", "leaves the folder"),
        ("C:\\out", "leaves the folder"),
        ("a//b", "no plain path"),
    ],
)
def test_a_member_that_leaves_the_folder_is_refused(name: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w") as file:
        info = zipfile.ZipInfo("x")
        info.filename = name
        file.writestr(info, "x")
    with pytest.raises(UserError, match=told):
        bundles.verify(path)


@pytest.mark.parametrize(
    "case", ["tampered", "missing", "unlisted", "bomb", "link", "twice", "torn", "text", "none"]
)
def test_what_is_not_whole_is_refused_in_one_line(case: str, made: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(made) as file:
        found = {info.filename: file.read(info) for info in file.infolist()}
    told = {"tampered": "another sha256", "missing": "'ledger.csv' is missing",
            "unlisted": "is not in manifest", "bomb": "grows from", "link": "is a link",
            "twice": "is there twice", "torn": "no whole zip", "text": "no whole zip",
            "none": "no such file"}[case]  # fmt: skip
    if case == "tampered":
        found["ledger.csv"] += b"x"
    if case == "missing":
        del found["ledger.csv"]
    if case == "unlisted":
        found["extra.txt"] = b"x"
    if case == "bomb":
        found["zeros"] = bytes(50_000_000)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in found.items():
            file.writestr(name, data)
        if case == "link":
            info = zipfile.ZipInfo("link")
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            file.writestr(info, "/etc/passwd")
        if case == "twice":
            with pytest.warns(UserWarning, match="Duplicate"):
                file.writestr("ledger.csv", b"x")
    if case == "torn":
        path.write_bytes(path.read_bytes()[: len(path.read_bytes()) // 2])
    if case == "text":
        path.write_text("no zip at all")
    if case == "none":
        path.unlink()
    with pytest.raises(UserError, match=told) as fault:
        bundles.verify(path)
    assert "\n" not in str(fault.value)


def test_a_bundle_of_nothing_is_refused(tiny: Chapter, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="99_tiny was never run"):
        bundles.bundle("99", tmp_path / "x.zip")
    with pytest.raises(UserError, match="no chapter '98'"):
        bundles.bundle("98", tmp_path / "x.zip")
    furnish(tiny.notebook.parents[1])
    execution.run(tiny, tiny.notebook)
    with pytest.raises(UserError, match=r"let it end in \.zip"):
        bundles.bundle("99", tmp_path / "x.tar")
    path = tmp_path / "plain.zip"
    path.write_bytes(archive.pack({"a.txt": b"a"}))
    with pytest.raises(UserError, match="no bundle of a run"):
        bundles.verify(path)
    assert find_chapter("99").slug == "99_tiny"


def test_the_commands(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def quire(*words: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as end:
            main([*map(str, words)])
        return int(end.value.code or 0), capsys.readouterr().out

    status, out = quire("verify", made, "--no-run", "--json")
    assert (status, json.loads(out)) == (0, [])
    torn = tmp_path / "torn.zip"
    torn.write_bytes(made.read_bytes()[:-5000])
    assert quire("verify", torn)[0] == 2


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone ends a child with its parent")
def test_a_killed_verification_leaves_no_replay_running(tmp_path: Path) -> None:
    package = tmp_path / "root" / "lib" / "quire" / "workbook" / "bundles"
    package.mkdir(parents=True)
    for folder in (package, package.parent, package.parent.parent):
        (folder / "__init__.py").touch()
    endless = "import sys, time\nopen(sys.argv[2] + '/begun', 'w').close()\ntime.sleep(600)\n"
    (package / "replaying.py").write_text(endless)
    (tmp_path / "out").mkdir()
    start = (
        "import sys; from pathlib import Path; from quire.workbook.bundles import verification; "
        "verification._run(sys.executable, Path('root').absolute(), Path('out').absolute(), None)"
    )
    verifier = subprocess.Popen([sys.executable, "-c", start], cwd=tmp_path)
    try:
        deadline = time.monotonic() + 120
        while not (tmp_path / "out" / "begun").exists():
            assert verifier.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        family = psutil.Process(verifier.pid).children(recursive=True)
    finally:
        verifier.kill()
        verifier.wait()
    _, left = psutil.wait_procs(family, timeout=30)
    assert family and not left
