"""JupyterLab over the workbook's notebooks."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

from quire.ports import is_free
from quire.workbook.errors import UserError
from quire.workbook.files import make_folder
from quire.workbook.home import check_user, home


def open_lab(port: int, browser: bool = True) -> NoReturn:
    """Become JupyterLab, on ``port``, until it is closed.

    Raises
    ------
    UserError
        When the port is taken, or Jupyter may not write where it keeps what runs.
    """
    from jupyter_core.paths import jupyter_runtime_dir

    check_user()
    if not is_free(port):
        raise UserError(f"port {port} is in use", "choose another with --port")
    try:
        make_folder(Path(jupyter_runtime_dir()))
    except UserError as fault:
        raise UserError(
            fault.what, "set HOME or JUPYTER_RUNTIME_DIR to a folder that you may write to"
        ) from None
    command = [sys.executable, "-m", "jupyterlab", f"--port={port}", "--ServerApp.port_retries=0"]
    command += [f"--notebook-dir={home()}"] + ([] if browser else ["--no-browser"])
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # in a container one is root, and Jupyter would refuse
    # Replaced, not started as a child: Ctrl-C and SIGTERM reach JupyterLab, which ends its kernels.
    os.execv(sys.executable, command)
