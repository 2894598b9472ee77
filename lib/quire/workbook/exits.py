"""How the command line ends: a status for each kind of end, one line for whatever went wrong."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from quire.workbook.errors import UserError, plain_line
from quire.workbook.files import FULL
from quire.workbook.terminal import leave_quietly, prepare

if TYPE_CHECKING:
    from click import Command

_OURS, _INTERRUPTED = 3, 130
_OF_TEMPORARY = "free some space; temporary files go where TMPDIR says"


def run(command: Command, arguments: Sequence[str] | None) -> NoReturn:
    """Run a command line and leave.

    The exit status is 0 when it is done, 1 when a chapter failed, 2 for bad input, 3 for a fault of
    the workbook's own, 130 when it was interrupted. Whatever goes wrong is one line.
    """
    prepare()
    # An orderly stop on SIGTERM and SIGHUP too, so that kernels and clusters are closed.
    for name in ("SIGTERM", "SIGHUP"):
        if signal.getsignal(getattr(signal, name, signal.SIGTERM)) is not signal.SIG_IGN:
            signal.signal(getattr(signal, name, signal.SIGTERM), signal.default_int_handler)
    try:
        status = command.main(
            list(arguments) if arguments is not None else None,
            prog_name="quire",
            standalone_mode=False,
        )
        sys.stdout.flush()
    except UserError as fault:
        _stop(str(fault), fault.exit_status)
    except (KeyboardInterrupt, typer.Abort):
        status = _INTERRUPTED
    except BrokenPipeError:  # "quire chapters | head -1": enough was read
        leave_quietly()
        status = 1
    except ModuleNotFoundError as fault:
        if (fault.name or "").split(".")[0] == "quire":
            _stop_unknown(fault)
        what = plain_line(f"{fault.name} is not installed")
        _stop(f"{what}: pip install 'quire-workbook[workbook]'", 2)
    except OSError as fault:
        line = _refused_by_system(fault)
        if not line:
            _stop_unknown(fault)
        leave_quietly()
        _stop(line, 2)
    except Exception as fault:
        # The parser's own errors, whose class differs between typer's releases.
        if not hasattr(fault, "format_message"):
            _stop_unknown(fault)
        _stop(_refusal(fault), 2)
    if status == _INTERRUPTED:
        print("quire: interrupted: nothing is half-written, run it again", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        # Kernels and clusters are closed by now; asyncio would still mourn its tasks at exit.
        os._exit(_INTERRUPTED)
    sys.exit(status if isinstance(status, int) else 0)


def _refusal(fault: Any) -> str:
    """Return a complaint of the parser as one line that says whose help to read."""
    context = getattr(fault, "ctx", None)
    command = context.command_path if context else "quire"
    what = plain_line(str(fault.format_message())).strip().removesuffix(".") or f"{command} what"
    return f"{what}: see '{command} --help'"


def _refused_by_system(fault: OSError) -> str:
    """Return what the system did not do, and the remedy; empty for a fault without a reason."""
    if isinstance(fault, shutil.Error):  # a tree of files: one for all of them
        whole = str(fault.args[0][0][2] if fault.args and fault.args[0] else "")
        what = plain_line(whole.split(": '")[0])
        return f"files can not be copied: {what}: {_OF_TEMPORARY}"
    if fault.errno in (*FULL, errno.EFBIG):
        where = f"{fault.filename}: " if fault.filename else ""
        return f"{plain_line(f'{where}{fault.strerror}')}: {_OF_TEMPORARY}"
    if fault.filename is None and not fault.strerror:
        return ""
    what = plain_line(f"{fault.filename or 'the system'}: {fault.strerror}")
    return f"{what}: mend that and run again"


def _stop(line: str, status: int) -> NoReturn:
    print(f"quire: {line}", file=sys.stderr)
    sys.exit(status)


def _stop_unknown(fault: Exception) -> NoReturn:
    """Tell in one line of a fault that nobody foresaw, and save its traceback for a report."""
    told = "".join(traceback.format_exception(fault))
    file = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="quire-fault-", suffix=".txt", delete=False, encoding="utf-8",
            errors="backslashreplace",
        ) as file:  # fmt: skip
            file.write(told)
        where = f"the traceback is in {file.name}, please report it"
    except OSError:
        if file is not None:
            with suppress(OSError):
                Path(file.name).unlink()
        where = "please report it"
    what = plain_line(f"a fault of the workbook, {type(fault).__name__}: {fault}")
    _stop(f"{what}: {where}", _OURS)
