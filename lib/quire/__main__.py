"""``python -m quire``: the command line without its script."""

from quire.workbook.cli import main

if __name__ == "__main__":
    main()
