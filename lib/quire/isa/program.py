"""Programs as data: instructions, kernels, modules, and how they are launched."""

from dataclasses import dataclass, field

from quire.isa.errors import DispatchRejected, RegisterOutOfRange
from quire.isa.table import Operation


@dataclass(frozen=True)
class Guard:
    """The predicate of ``@p`` or ``@!p`` before a mnemonic."""

    register: int
    negated: bool = False


@dataclass(frozen=True)
class Instruction:
    """One instruction: its row of the table and the numbers in its fields.

    ``offset`` is its byte offset in the code, ``line`` its line in the text (0 when decoded).
    """

    operation: Operation
    rd: int = 0
    rs1: int = 0
    rs2: int = 0
    rs3: int = 0
    rs4: int = 0
    imm: int = 0
    scope: int = 0
    guard: Guard | None = None
    offset: int = field(default=0, compare=False)
    line: int = field(default=0, compare=False)

    @property
    def mnemonic(self) -> str:
        """The mnemonic of its row."""
        return self.operation.mnemonic


@dataclass(frozen=True)
class Kernel:
    """One kernel: its instructions and what its directives declare.

    ``workgroup`` is (0, 0, 0) if the launch decides.
    """

    name: str
    instructions: tuple[Instruction, ...]
    registers: int = 32
    local_bytes: int = 0
    workgroup: tuple[int, int, int] = (0, 0, 0)

    def check_registers(self) -> None:
        """Raise `RegisterOutOfRange` if an operand names a register that is not declared."""
        for instruction in self.instructions:
            for operand in instruction.operation.operands:
                if not operand.width:
                    continue
                last = getattr(instruction, operand.field) + operand.width - 1
                if last >= self.registers:
                    place = f"line {instruction.line}" if instruction.line else "decoded code"
                    raise RegisterOutOfRange(
                        f"{place}, offset {instruction.offset}: {instruction.mnemonic} uses"
                        f" r{last}, but kernel {self.name!r} declares {self.registers} registers:"
                        f" raise .registers"
                    )


@dataclass(frozen=True)
class Module:
    """What one text or one container holds: kernels in their order in the code section."""

    kernels: tuple[Kernel, ...]

    def kernel(self, name: str | None = None) -> Kernel:
        """The kernel of that name, or the first. Raises `KeyError` if there is none."""
        for kernel in self.kernels:
            if name is None or kernel.name == name:
                return kernel
        raise KeyError(f"no kernel {name!r}: the module has {[k.name for k in self.kernels]}")


@dataclass(frozen=True)
class Launch:
    """One dispatch: sizes of grid (in workgroups) and workgroup (in threads), and resources.

    ``local_bytes`` None takes the kernel's own declaration.
    """

    grid: tuple[int, int, int] = (1, 1, 1)
    workgroup: tuple[int, int, int] = (32, 1, 1)
    wave_width: int = 32
    local_bytes: int | None = None

    def __post_init__(self) -> None:
        if self.wave_width not in (8, 16, 32, 64):
            raise ValueError(f"wave_width={self.wave_width} is not 8, 16, 32 or 64")
        for name in ("grid", "workgroup"):
            sizes = getattr(self, name)
            if len(sizes) != 3 or min(sizes) < 1:
                raise ValueError(f"{name}={sizes} must be three numbers of at least 1")
        if self.threads > 1024:
            raise DispatchRejected(
                f"workgroup={self.workgroup} has {self.threads} threads, the core takes 1024:"
                " use smaller workgroups"
            )

    @property
    def threads(self) -> int:
        """Threads of one workgroup."""
        return self.workgroup[0] * self.workgroup[1] * self.workgroup[2]

    @property
    def waves(self) -> int:
        """Waves of one workgroup, the last one perhaps partly empty."""
        return -(-self.threads // self.wave_width)

    @property
    def workgroups(self) -> int:
        """Workgroups of the grid."""
        return self.grid[0] * self.grid[1] * self.grid[2]
