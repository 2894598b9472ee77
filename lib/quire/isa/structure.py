"""Control structure: which else, endif and endloop belong to which if and loop.

Found once, before anything runs; the targets drive every engine (specification, section 5).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from quire.isa.errors import DivergenceOverflow, StructureError
from quire.isa.program import Instruction

MAX_DEPTH = 32
MAX_CALL_DEPTH = 8
_UNGUARDED = {"else", "endif", "loop", "endloop", "call"}


@dataclass(frozen=True)
class Structure:
    """Per instruction: nesting depth, the partner to jump to, and the loop around it.

    ``partner`` is the else or endif of an if, the endif of an else, the endloop of a loop, the loop
    of an endloop, the target of a call; ``loop`` is the index of the innermost loop, ``outer_if``
    that of the innermost if inside of it (-1: none).
    """

    depth: tuple[int, ...]
    partner: tuple[int, ...]
    loop: tuple[int, ...]
    outer_if: tuple[int, ...]


def _place(instruction: Instruction) -> str:
    return f"line {instruction.line}" if instruction.line else f"offset {instruction.offset}"


def analyse(code: Sequence[Instruction]) -> Structure:
    """Match every if and loop with its end.

    Raises
    ------
    StructureError
        an unbalanced or misplaced keyword, a guarded structure keyword, a call to the middle of
        nowhere or a recursive one.
    DivergenceOverflow
        more than 32 levels.
    """
    count = len(code)
    depth, partner, loops, ifs = ([-1] * count for _ in range(4))
    stack: list[tuple[str, int]] = []
    for index, instruction in enumerate(code):
        name = instruction.mnemonic
        if name in _UNGUARDED and instruction.guard is not None:
            raise StructureError(f"{_place(instruction)}: {name} cannot carry a predicate")
        if name in ("else", "endif"):
            if (
                not stack
                or stack[-1][0] not in ("if", "else")
                or (name, stack[-1][0]) == (*("else", "else"),)
            ):
                raise StructureError(f"{_place(instruction)}: {name} without its if")
            partner[stack.pop()[1]] = index
        elif name == "endloop":
            if not stack or stack[-1][0] != "loop":
                raise StructureError(f"{_place(instruction)}: endloop without its loop")
            start = stack.pop()[1]
            partner[start], partner[index] = index, start
        inside = [at for kind, at in stack if kind == "loop"]
        loops[index] = inside[-1] if inside else -1
        if stack and stack[-1][0] != "loop":
            ifs[index] = stack[-1][1]
        depth[index] = len(stack)
        if name in ("break", "continue") and not inside:
            raise StructureError(f"{_place(instruction)}: {name} outside of a loop")
        if name in ("if", "else", "loop"):
            stack.append((name, index))
            if len(stack) > MAX_DEPTH:
                raise DivergenceOverflow(
                    f"{_place(instruction)}: control flow is nested deeper than {MAX_DEPTH} levels"
                )
    if stack:
        kind, at = stack[-1]
        raise StructureError(f"{_place(code[at])}: this {kind} has no end")
    _match_calls(code, depth, partner)
    return Structure(tuple(depth), tuple(partner), tuple(loops), tuple(ifs))


def _match_calls(code: Sequence[Instruction], depth: list[int], partner: list[int]) -> None:
    offsets = {instruction.offset: index for index, instruction in enumerate(code)}
    bodies: dict[int, list[int]] = {}

    def body(start: int) -> list[int]:
        """Return the calls inside of the function that starts there.

        Raises
        ------
        StructureError
            the function never returns.
        """
        calls = []
        for index in range(start, len(code)):
            if code[index].mnemonic == "call":
                calls.append(index)
            if code[index].mnemonic == "return" and depth[index] == 0 and not code[index].guard:
                return calls
        raise StructureError(f"{_place(code[start])}: this function never returns")

    for index, instruction in enumerate(code):
        if instruction.mnemonic != "call":
            continue
        target = offsets.get(instruction.imm)
        if target is None or depth[target] != 0:
            raise StructureError(f"{_place(instruction)}: call goes into the middle of a block")
        partner[index] = target
        bodies.setdefault(target, [])
    for target in bodies:
        bodies[target] = body(target)

    def deepest(target: int, path: tuple[int, ...]) -> int:
        if target in path:
            raise StructureError(f"{_place(code[target])}: recursion is not supported")
        if len(path) >= MAX_CALL_DEPTH:
            raise StructureError(f"{_place(code[target])}: calls nest deeper than {MAX_CALL_DEPTH}")
        inner = [1 + depth[c] + deepest(partner[c], (*path, target)) for c in bodies[target]]
        ends = [i for i in range(target, len(code)) if code[i].mnemonic == "return"]
        last = next(i for i in ends if depth[i] == 0 and not code[i].guard)
        own = 1 + max(depth[target : last + 1])
        return max([own, *inner])

    for index, instruction in enumerate(code):
        if (
            instruction.mnemonic == "call"
            and depth[index] + 1 + deepest(partner[index], ()) > MAX_DEPTH
        ):
            raise DivergenceOverflow(
                f"{_place(instruction)}: with this call control flow is nested deeper than"
                f" {MAX_DEPTH} levels"
            )
