"""How the command line ends: a status for each kind of end, one line for whatever went wrong."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from quire.workbook.errors import UserError, plain_line
from quire.workbook.terminal import leave_quietly, prepare

if TYPE_CHECKING:
    from click import Command

_OURS, _INTERRUPTED = 3, 130


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
        _stop(f"{fault.name} is not installed: pip install 'quire-workbook[workbook]'", 2)
    except OSError as fault:
        if fault.filename is None and not fault.strerror:
            _stop_unknown(fault)
        leave_quietly()
        _stop(f"{fault.filename or 'the system'}: {fault.strerror}: mend that and run again", 2)
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
    what = str(fault.format_message()).strip().removesuffix(".") or f"{command} what"
    return f"{what}: see '{command} --help'"


def _stop(line: str, status: int) -> NoReturn:
    print(f"quire: {plain_line(line)}", file=sys.stderr)
    sys.exit(status)


def _stop_unknown(fault: Exception) -> NoReturn:
    """Tell in one line of a fault that nobody foresaw, and save its traceback for a report."""
    told = "".join(traceback.format_exception(fault))
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="quire-fault-", suffix=".txt", delete=False, encoding="utf-8",
            errors="backslashreplace",
        ) as file:  # fmt: skip
            file.write(told)
        where = f"the traceback is in {file.name}, please report it"
    except OSError:
        where = "please report it"
    _stop(f"a fault of the workbook, {type(fault).__name__}: {fault}: {where}", _OURS)
