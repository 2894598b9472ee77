"""The frame of every peer's script: a registry of calls, and one request answered through files.

Runs in the peer's own environment, which holds numpy and the peer, and nothing of this project.
The folder given on the command line holds ``request.json`` (``{"call": NAME, ...}``) and
``arrays.npz``; the answer is ``reply.json`` and ``reply.npz`` beside them.
"""

import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]
Call = Callable[[dict[str, Any], Arrays], tuple[dict[str, Any], Arrays]]

CALLS: dict[str, Call] = {}


def call(function: Call) -> Call:
    """Offer a function under its name: a request and its arrays in, an answer and arrays out."""
    CALLS[function.__name__] = function
    return function


@call
def calls(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Tell which calls there are, and what each does."""
    told = {name: (function.__doc__ or "").split("\n")[0] for name, function in CALLS.items()}
    return {"calls": told}, {}


@call
def several(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Answer the requests of ``asked`` in their order, their arrays named ``NUMBER/NAME``.

    Raises
    ------
    ValueError
        When there is no call of a name.
    """
    answers, out = [], {}
    for number, one in enumerate(request["asked"]):
        rest, first = dict(one), f"{number}/"
        name = rest.pop("call")
        if name not in CALLS:
            raise ValueError(f"no call {name!r}, there are {', '.join(CALLS)}")
        own = {key[len(first) :]: arrays[key] for key in arrays if key.startswith(first)}
        answer, found = CALLS[name](rest, own)
        answers.append(answer)
        out |= {first + key: array for key, array in found.items()}
    return {"answers": answers}, out


def serve() -> None:
    """Answer the one request of the folder on the command line."""
    folder = Path(sys.argv[1])
    reply: dict[str, Any]
    out: Arrays = {}
    try:
        request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
        with np.load(folder / "arrays.npz", allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        name = request.pop("call")
        if name in CALLS:
            answer, out = CALLS[name](request, arrays)
            reply = {"answer": answer}
        else:
            reply = {"error": f"no call {name!r}, there are {', '.join(CALLS)}"}
    except Exception as fault:
        last = traceback.format_exc()
        reply, out = {"error": f"{type(fault).__name__}: {fault}", "traceback": last}, {}
    np.savez(folder / "reply.npz", **out)
    (folder / "reply.json").write_text(json.dumps(reply), encoding="utf-8")
