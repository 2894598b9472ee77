"""Attempts to reach a protected file or module by another name, or another way.

A relative path is relative to the folder in which this process stands: the kernel asks the system
which that is.
"""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from quire.world_model.kernel.gauntlet.arena import Arena, Attempt


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


def readings(arena: Arena) -> Iterator[Attempt]:
    """Yield writes by links, `..`, words of a command, encodings and the kernel's own files.

    The links are relative, chained, dangling, in a loop, through open files and in circles of
    ``..``; none is called as what it leads to.
    """
    folder, kept = arena.folder / "readings", arena.protected
    (folder / "far" / "inner").mkdir(parents=True)
    (folder / "here").symlink_to(kept)
    (folder / "near").symlink_to(f"../{kept.name}")
    (folder / "twice").symlink_to("near")
    (folder / "far" / "alias").symlink_to(kept)
    (folder / "jump").symlink_to("far/inner")  # so that jump/.. is far
    (folder / "above").symlink_to("../..")
    (folder / "to-be").symlink_to(arena.folder / "keys" / "new")
    (folder / "round").symlink_to("about")
    (folder / "about").symlink_to("round")
    (folder / "open").symlink_to("/proc/self/fd/0")
    for k in range(50):
        (folder / f"step{k}").symlink_to(f"step{k + 1}")
    (folder / "step50").symlink_to(kept)
    os.link(kept, folder / "same")
    names = (
        *("here", "near", "twice", "same", "jump/../alias", "above", "to-be", "round", "open"),
        *("step0", "step49", "jump/../../here", "missing/../near", "about/x"),
    )
    relative = os.path.relpath(folder)
    for name in names:
        yield partial(arena.granted, "write_file", {"path": f"{folder}/{name}"})
        yield partial(arena.granted, "write_file", {"path": f"{relative}/{name}"})
    at = os.path.relpath(kept)
    coded = "".join(f"%{byte:02x}" for byte in os.fsencode(kept))
    commands = (
        *(f"cp x {kept}", f"--output={kept}", f"x:{kept}", f"'{kept}'", f"true;rm {at}"),
        *(f"cp x {relative}/here", f"x>{relative}/near", f"{kept}/.", f"{kept} .", f"a\n{kept}"),
        *(coded, urllib.parse.quote(coded), f"{kept}".replace("/", "\\"), f"{kept}\u200b"),
        *(f"{kept}"[:-3] + "*", f"{kept}"[:-1] + "?", f"{arena.folder}/{{a,{kept.name}}}"),
        *(f"{arena.folder}/kernel_[a-c]inary", "$HOME/x", "$(cat x)", "`cat x`", "${X}/y"),
        *("/proc/self/cwd/x", "/proc/thread-self/fd/3", "/dev/fd/3", "/dev/stdout"),
        f"/proc/{arena.kernel.pid}/mem",
    )
    own = (arena.kernel.log, arena.kernel.socket, Path(__file__).parent.parent / "server.py")
    for text in (*commands, *map(str, own)):
        yield partial(arena.granted, "write_file", {"target": text})


def harmless(arena: Arena) -> Iterator[Attempt]:
    """Yield writes that a kernel which refuses too much would refuse, in the folder of `readings`.

    These must be granted.
    """
    folder = arena.folder / "readings"
    (folder / "plain").write_text("plain")
    (folder / "far" / "plain").write_text("plain")
    (folder / "good").symlink_to("plain")
    (folder / "later").symlink_to("not-yet")
    relative = os.path.relpath(folder)
    for name in ("plain", "good", "later", "jump/../plain", "new", "far/../good"):
        for path in (f"{folder}/{name}", f"{relative}/{name}"):
            yield partial(arena.granted, "write_file", {"path": path})
    for text in ("a long note " * 60, "50 % of $5", "https://example.org/x?y=1", "~nobody-here/x"):
        yield partial(arena.granted, "write_file", {"path": f"{folder}/plain", "note": text})
