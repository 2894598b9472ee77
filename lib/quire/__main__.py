"""The command ``quire``, and ``python -m quire``.

Here only what must hold before anything is imported: Ctrl-C during the imports is an interruption
and no traceback, and a missing extra is one line.
"""

import sys
from typing import NoReturn

INSTALL = "pip install 'quire-workbook[workbook]'"


def main() -> NoReturn:
    """Run the command line and leave with its exit status.

    Raises
    ------
    ModuleNotFoundError
        When a module of this package itself is missing.
    """
    if sys.argv[1:] == ["--version"]:  # also where only the library is installed
        from quire import __version__

        print(f"quire {__version__}")
        sys.exit(0)
    try:
        from quire.workbook.compiled import keep_bytecode

        keep_bytecode()
        from quire.workbook.cli import main as run
    except KeyboardInterrupt:
        print("quire: interrupted: nothing is half-written, run it again", file=sys.stderr)
        sys.exit(130)
    except ModuleNotFoundError as fault:
        if (fault.name or "").split(".")[0] == "quire":
            raise  # a fault of ours: this package is all here, or broken
        print(f"quire: {fault.name} is not installed: {INSTALL}", file=sys.stderr)
        sys.exit(2)
    run()


if __name__ == "__main__":
    main()
