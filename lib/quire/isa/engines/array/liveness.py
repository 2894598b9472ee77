"""Which rows of the register file a program may read before it has written them.

Registers and predicates start as zero (specification, section 2.3), and a batch of workgroups
inherits what the one before left behind. Only the rows found here need to be cleared in between.
"""

import numpy as np
from jaxtyping import Int32

from quire.isa.engines.array.microcode import COLUMNS, Control, Micro

_SOURCES = tuple(COLUMNS[name] for name in ("a", "b", "c", "d", "flag", "guard", "second"))

_CLOSING = (Control.ELSE, Control.ENDIF, Control.ENDLOOP, Control.ENDLOOP_LATE)


def uncertain(
    rows: list[Micro], table: Int32[np.ndarray, "rows columns"], true: int
) -> Int32[np.ndarray, " uncertain"]:
    """Rows of the file that some lane may read before it writes them, in rising order.

    ``table`` is the matrix of ``rows``; ``true`` the row of the predicate that always holds. A
    write counts if no predicate guards it and its block is still open: a lane that reads on the
    same level or deeper has then been there.
    """
    entries = {row.target for row in rows if row.control == Control.CALL}
    open_blocks: list[set[int]] = [set()]
    found: set[int] = set()
    for number, row in enumerate(rows):
        if number in entries:
            open_blocks = [set()]
        if row.control in _CLOSING and len(open_blocks) > 1:
            open_blocks.pop()
        written = set().union(*open_blocks)
        columns = table[number]
        found |= {int(columns[source]) for source in _SOURCES} - written - {true}
        if row.control in (Control.IF, Control.ELSE, Control.LOOP):
            open_blocks.append(set())
        elif columns[COLUMNS["guard"]] == true and not row.memory:
            open_blocks[-1].add(int(columns[COLUMNS["dest"]]))
    return np.array(sorted(found), np.int32)
