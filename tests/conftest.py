"""Shapes are checked in tests: every topic is imported through jaxtyping and beartype.

Eight host devices stand for processors. They have to be asked for before JAX's backend starts, and
collecting a test may start it, so they are asked for here, where pytest comes first.
"""

from pathlib import Path

import jax
from jaxtyping import install_import_hook

import quire

jax.config.update("jax_num_cpu_devices", 8)

LIBRARY = Path(quire.__file__).parent
TOPICS = sorted(
    folder.name
    for folder in LIBRARY.iterdir()
    if (folder / "__init__.py").exists() and folder.name not in {"workbook", "_checkout"}
)
install_import_hook([f"quire.{topic}" for topic in TOPICS], "beartype.beartype")
