"""A file is written whole or not at all, and only where a file belongs."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from quire.workbook.errors import UserError
from quire.workbook.files import (
    check_writable,
    make_folder,
    replacing,
    sweep,
    temporary_name,
    work_folder,
    write_atomically,
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_link_is_followed_and_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "far" / "target", tmp_path / "link"
    target.parent.mkdir()
    target.write_text("old")
    link.symlink_to(target)
    write_atomically(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_link_to_nothing_makes_its_target_and_a_loop_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "target")
    write_atomically(link, "new")
    assert (tmp_path / "target").read_text() == "new"
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(UserError, match="can not write"):
        write_atomically(loop, "new")


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_mode_of_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write_atomically(tmp_path / "file", "x")
    finally:
        os.umask(before)
    assert mode(tmp_path / "file") == 0o666 & ~mask


@pytest.mark.parametrize("old", [0o600, 0o640, 0o755])
def test_an_old_file_keeps_its_mode(tmp_path: Path, old: int) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(old)
    write_atomically(path, "new")
    assert (mode(path), path.read_text()) == (old, "new")


def test_what_is_no_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    pipe, read_only = tmp_path / "pipe", tmp_path / "read-only"
    os.mkfifo(pipe)
    read_only.write_text("kept")
    read_only.chmod(0o444)
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind(str(tmp_path / "socket"))
        for path, words in (
            (pipe, "is a pipe"),
            (tmp_path / "socket", "is a socket"),
            (Path("/dev/null"), "is a device"),
            (tmp_path, "is a folder"),
            (read_only, "is read-only"),
            (tmp_path / ("x" * 300), "can not write"),
            (tmp_path / "nul\0", "can not write"),
            (read_only / "below", "Not a directory"),
        ):
            with pytest.raises(UserError, match=words):
                write_atomically(path, "new")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert read_only.read_text() == "kept"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pipe", "read-only", "socket"]


def test_a_fault_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_text_that_is_no_utf8_is_escaped_and_not_lost(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", '"\udc80"')
    assert (tmp_path / "file").read_text() == '"\\udc80"'


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
def test_a_full_disk_is_noticed_by_the_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, *rest: real("/dev/full", os.O_WRONLY))
    with pytest.raises(UserError, match=r"No space left on device\): free some space"):
        make_folder(tmp_path)
    with pytest.raises(UserError, match="No space left"):
        check_writable(tmp_path / "file")


def test_what_a_killed_process_left_is_swept_and_a_living_ones_stays(tmp_path: Path) -> None:
    code = "import sys; from quire.workbook.files import temporary_name as n; print(n())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    dead, living = tmp_path / done.stdout.strip(), tmp_path / temporary_name()
    (dead / "deep").mkdir(parents=True)
    living.touch()
    (tmp_path / ".quire-notes").touch()
    sweep(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {living.name, ".quire-notes"}


def test_a_work_folder_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    with work_folder(tmp_path) as folder:
        assert mode(folder) == 0o700
        (folder / "file").touch()
    assert list(tmp_path.iterdir()) == []
