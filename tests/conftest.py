"""Shapes are checked in tests: every topic is imported through jaxtyping and beartype."""

from pathlib import Path

from jaxtyping import install_import_hook

import quire

LIBRARY = Path(quire.__file__).parent
TOPICS = sorted(
    folder.name
    for folder in LIBRARY.iterdir()
    if (folder / "__init__.py").exists() and folder.name not in {"workbook", "_checkout"}
)
install_import_hook([f"quire.{topic}" for topic in TOPICS], "beartype.beartype")
