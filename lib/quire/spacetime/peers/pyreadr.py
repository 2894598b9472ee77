"""R's data files, read by pyreadr."""

from pathlib import Path

import numpy as np


def read_columns(path: Path) -> dict[str, np.ndarray]:
    """Return the columns of the one data frame in an ``.rda`` file, times as ns since the epoch.

    Raises
    ------
    ValueError
        When the file holds another number of data frames than one.
    """
    import pyreadr

    frames = list(pyreadr.read_r(str(path)).values())
    if len(frames) != 1:
        raise ValueError(f"path = {path.name}: holds {len(frames)} data frames, one is read")
    columns = {}
    for name in frames[0].columns:
        values = frames[0][name].to_numpy()
        if values.dtype.kind == "M":
            values = values.astype("datetime64[ns]").astype(np.int64)
        columns[str(name)] = values.astype(str) if values.dtype.kind == "O" else values
    return columns
