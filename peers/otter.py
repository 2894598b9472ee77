"""otter-grader, which runs a returned notebook and then the hidden tests of an autograder.

The notebook's kernel is this environment's own Python; it finds the library in the folder that the
request names.
"""

import os
import sys
from pathlib import Path
from typing import Any

import calls

sys.path.remove(str(Path(__file__).resolve().parent))  # this file is not the package otter

from otter import api


@calls.call
def grade(request: dict[str, Any], arrays: calls.Arrays) -> tuple[dict[str, Any], calls.Arrays]:
    """Grade ``notebooks`` by ``autograder``: what each won of the points of every test."""
    os.environ |= {
        "PYTHONPATH": request["library"],
        "QUIRE_HOME": request["home"],
        "JAX_PLATFORMS": "cpu",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    graded = {}
    for notebook in request["notebooks"]:
        results = api.grade_submission(notebook, request["autograder"], quiet=True)
        graded[notebook] = {
            "total": results.total,
            "possible": results.possible,
            "tests": {name: [test.score, test.possible] for name, test in results.results.items()},
        }
    return {"graded": graded}, {}


if __name__ == "__main__":
    calls.serve()
