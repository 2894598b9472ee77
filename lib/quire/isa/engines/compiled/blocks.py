"""A kernel as a tree of blocks: what the compiler of `traced` walks along."""

from dataclasses import dataclass

from quire.isa.program import Instruction, Kernel
from quire.isa.structure import Structure, analyse


@dataclass(frozen=True)
class If:
    """An if with both of its sides."""

    head: Instruction
    then: tuple["Node", ...]
    otherwise: tuple["Node", ...]


@dataclass(frozen=True)
class Loop:
    """A loop and its body."""

    body: tuple["Node", ...]


@dataclass(frozen=True)
class Call:
    """A call, with the function's body in its place."""

    body: tuple["Node", ...]


Node = Instruction | If | Loop | Call


def tree(kernel: Kernel) -> tuple[Node, ...]:
    """Return the blocks of a kernel, functions copied to where they are called."""
    return _blocks(kernel.instructions, analyse(kernel.instructions), 0, len(kernel.instructions))


def _blocks(
    code: tuple[Instruction, ...], structure: Structure, start: int, end: int
) -> tuple[Node, ...]:
    nodes: list[Node] = []
    index = start
    while index < end:
        instruction = code[index]
        partner = structure.partner[index]
        if instruction.mnemonic == "if":
            then = _blocks(code, structure, index + 1, partner)
            otherwise: tuple[Node, ...] = ()
            if code[partner].mnemonic == "else":
                middle, partner = partner, structure.partner[partner]
                otherwise = _blocks(code, structure, middle + 1, partner)
            nodes.append(If(instruction, then, otherwise))
            index = partner + 1
        elif instruction.mnemonic == "loop":
            nodes.append(Loop(_blocks(code, structure, index + 1, partner)))
            index = partner + 1
        elif instruction.mnemonic == "call":
            last = next(
                i
                for i in range(partner, len(code))
                if code[i].mnemonic == "return" and structure.depth[i] == 0 and not code[i].guard
            )
            nodes.append(Call(_blocks(code, structure, partner, last)))
            index += 1
        else:
            nodes.append(instruction)
            ends = instruction.mnemonic == "halt" and instruction.guard is None
            if ends and structure.depth[index] == 0 and start == 0:
                break  # what follows are functions
            index += 1
    return tuple(nodes)


def flatten(nodes: tuple[Node, ...]) -> list[Instruction]:
    """Every instruction of some blocks, ifs included."""
    flat: list[Instruction] = []
    for node in nodes:
        if isinstance(node, If):
            flat += [node.head, *flatten(node.then), *flatten(node.otherwise)]
        elif isinstance(node, Loop | Call):
            flat += flatten(node.body)
        else:
            flat.append(node)
    return flat
