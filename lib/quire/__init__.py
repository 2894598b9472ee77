"""Quire: an executable workbook of systems papers, and the library its chapters are made of.

Each topic is a subpackage of pure functions on arrays (``quire.sketching``, ``quire.queueing``, …);
``quire.workbook`` is the machinery that knows notebooks. Topics and workbook do not know each
other.

Every topic computes in double precision, so importing ``quire`` switches JAX's x64 mode on: here,
once, and nowhere else.
"""

import os
import sys

if "jax" in sys.modules:
    sys.modules["jax"].config.update("jax_enable_x64", True)
else:
    os.environ.setdefault("JAX_ENABLE_X64", "1")

__version__ = "0.1.0"
