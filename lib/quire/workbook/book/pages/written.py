"""Written lists: what people write in ``book/NAME.yml`` for a generated page, read and checked."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from quire.workbook.errors import UserError, first_complaint
from quire.workbook.yamlfiles import line_of, read_yaml


class Written(BaseModel):
    """A list or a part of it: every field is declared, and none is changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


List = TypeVar("List", bound=Written)


def read_list(path: Path, form: type[List]) -> List:
    """Read a written list in its form.

    Raises
    ------
    UserError
        When it can not be read or is not of that form; names the file and the line.
    """
    data, tree = read_yaml(path, "mend the list's YAML")
    try:
        return form.model_validate(data)
    except ValidationError as fault:
        line = line_of(tree, fault.errors()[0]["loc"])
        raise UserError(
            f"{path.name}, line {line}: {first_complaint(fault)}", "mend the list"
        ) from None
