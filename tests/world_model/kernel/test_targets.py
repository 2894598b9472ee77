"""Where a text leads that is read as a path: as the operating system says, and in other words."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from quire.world_model import Kernel, Policy, WorldModelError
from quire.world_model.kernel import targets

NAMES = ("a", "b", "c")


def grown(folder, rng):
    """Make files, folders and links of every kind, some of which dangle or turn in circles."""
    folders = [folder]
    for _ in range(20):
        place = rng.choice(folders) / name(rng)
        if place.is_symlink() or place.exists():
            continue
        kind = rng.randrange(4)
        if kind == 0:
            place.write_text("x")
        elif kind == 1:
            place.mkdir()
            folders.append(place)
        else:
            place.symlink_to(
                rng.choice([path(folder, rng), text(rng), name(rng), str(rng.choice(folders))])
            )


def name(rng):
    """Return one of nine names."""
    return f"{rng.choice(NAMES)}{rng.randrange(3)}"


def text(rng):
    """Return a relative path of a few parts."""
    parts = [rng.choice([name(rng), name(rng), "..", ".", ""]) for _ in range(4)]
    return "/".join(parts[: rng.randint(1, 4)]) or "."


def path(folder, rng):
    """Return an absolute path of a few parts."""
    return f"{folder}/{text(rng)}"


@pytest.mark.skipif(not hasattr(os, "O_PATH"), reason="needs a system that tells where a file is")
def test_a_path_is_followed_as_the_system_follows_it(tmp_path):
    """What opens is where we say; where the system finds a loop, so do we."""
    rng = random.Random(7)
    opened = loops = 0
    for k in range(30):
        folder = tmp_path / f"tree{k}"
        folder.mkdir()
        grown(folder, rng)
        for _ in range(60):
            asked = path(folder, rng)
            try:
                file = os.open(asked, os.O_PATH)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError:
                loops += 1
                with pytest.raises(OSError, match="symbolic links"):
                    targets.followed(asked)
                continue
            try:
                truth = str(Path(f"/proc/self/fd/{file}").readlink())
            finally:
                os.close(file)
            opened += 1
            assert targets.followed(asked)[-1].place == truth
    assert opened > 300 and loops > 10


def test_as_many_links_as_the_system_follows(tmp_path):
    for k in range(targets.LINKS + 1):
        (tmp_path / f"l{k}").symlink_to(f"l{k + 1}")
    last = tmp_path / f"l{targets.LINKS + 1}"
    assert targets.followed(str(tmp_path / "l1"))[-1].place == os.path.realpath(last)
    with pytest.raises(OSError, match="symbolic links"):
        targets.followed(str(tmp_path / "l0"))


@pytest.mark.parametrize(
    "place", ["/proc/self/fd/0", "/proc/1/root", "/dev/fd/0", "/x" * (targets.PARTS + 1)]
)
def test_what_can_not_be_followed_is_a_fault(place):
    with pytest.raises(OSError):
        targets.followed(place)


def leads(what, name, above, folders=()):
    return targets.any_protected(what, [name], above, folders)


@pytest.fixture
def kept(tmp_path):
    (tmp_path / "secret").write_text("x")
    (tmp_path / "alias").symlink_to("secret")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "other").symlink_to("../secret")
    (tmp_path / "jump").symlink_to("deep/er")
    (tmp_path / "gone").symlink_to("keys/new")
    (tmp_path / "plain").write_text("y")
    (tmp_path / "harmless").symlink_to("plain")
    return targets.kept([str(tmp_path / "secret"), str(tmp_path / "keys")])


LEADING = (
    "alias",
    "./alias",
    "jump/../other",
    "deep/../alias",
    "gone",
    "jump/../../alias",
    "x=alias",
)
ELSEWHERE = ("harmless", "plain", "jump/../plain", "deep/plain", "new", "")


@pytest.mark.parametrize("name", LEADING)
def test_a_relative_link_leads_where_it_does_from_the_agents_folder(tmp_path, kept, name):
    assert leads(kept, name, False, [str(tmp_path)])
    assert not leads(kept, name, False, [str(tmp_path / "deep" / "er")])
    assert leads(kept, name, False, ["/", str(tmp_path)])


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_relative_link_elsewhere_is_no_fault(tmp_path, kept, name):
    assert not leads(kept, name, True, [str(tmp_path / "deep")])
    assert not leads(kept, name, False, [str(tmp_path)])


def test_a_link_that_is_protected_is_kept_with_what_it_leads_to(tmp_path):
    (tmp_path / "v2").write_text("x")
    (tmp_path / "current").symlink_to("v2")
    what = targets.kept([str(tmp_path / "current")])
    for name in ("current", "v2"):
        assert leads(what, str(tmp_path / name), False)
    assert not leads(what, str(tmp_path / "v3"), False)
    assert leads(what, str(tmp_path), True)
    assert not leads(what, str(tmp_path), False)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may look into every folder")
def test_a_folder_that_may_not_be_looked_into_is_a_denial(tmp_path, kept):
    (tmp_path / "shut").mkdir(mode=0)
    try:
        assert leads(kept, f"{tmp_path}/shut/x", False)
    finally:
        (tmp_path / "shut").chmod(0o700)  # or else pytest, which clears up later, can not


def test_with_nothing_protected_no_text_is_refused():
    assert not leads(targets.Kept(), "$(rm -rf /)\x00", True, ["/"])


def test_folders_of_a_policy_are_absolute():
    with pytest.raises(WorldModelError, match="folders"):
        Policy(folders=("here",))


def test_the_kernel_knows_where_the_agent_stands(tmp_path, monkeypatch):
    (tmp_path / "secret").write_text("x")
    (tmp_path / "alias").symlink_to("secret")
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "alias").write_text("another")
    rules = Policy(
        allow_subjects=("w",),
        allow_actions=("write",),
        levels={"write": 1},
        protected=(str(tmp_path / "secret"),),
    )
    with Kernel(rules) as kernel, kernel.client("w", ("write",)) as client:
        for folder, allowed in ((tmp_path, False), (tmp_path / "there", True)):
            monkeypatch.chdir(folder)
            assert client.authorize("write", {"path": "alias"}).allowed == allowed
        for own in (kernel.log, kernel.socket, Path(kernel.log).parent, targets.__file__):
            assert client.authorize("write", {"path": str(own)}).reason == "protected_target"
    there = Policy(**{**rules.__dict__, "folders": (str(tmp_path),)})
    with Kernel(there) as kernel, kernel.client("w", ("write",)) as client:
        assert client.authorize("write", {"path": "alias"}).reason == "protected_target"


def test_the_kernel_starts_with_the_standard_library_alone():
    code = (
        "import sys\nimport quire.world_model.kernel.server\n"
        "print(*{'numpy', 'jax', 'jaxtyping', 'scipy'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == []
