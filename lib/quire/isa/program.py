"""Programs as data: instructions, kernels, modules, and how they are launched."""

from dataclasses import dataclass, field

from quire.checks import integer
from quire.isa.errors import DispatchRejected, RegisterOutOfRange
from quire.isa.table import Operation

LOCAL_LIMIT = 65536  # bytes of local memory that the core has
REGISTER_LIMIT = 256  # registers that an encoded operand can name
THREAD_LIMIT = 1024  # threads of one workgroup
WAVE_LIMIT = 2**30  # waves of one grid


def _threads(sizes: tuple[int, ...]) -> int:
    """Threads of a workgroup; a negative size counts as none."""
    return sizes[0] * sizes[1] * sizes[2] if min(sizes) > 0 else 0


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

    ``registers`` are per thread, ``local_bytes`` per workgroup; ``workgroup`` is (0, 0, 0) if the
    launch decides.

    Raises
    ------
    ValueError
        more registers than an operand can name, a negative size, a workgroup that is
        neither (0, 0, 0) nor of 1 to 1024 threads.
    """

    name: str
    instructions: tuple[Instruction, ...]
    registers: int = 32
    local_bytes: int = 0
    workgroup: tuple[int, int, int] = (0, 0, 0)

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "registers", integer("registers", self.registers, 1, REGISTER_LIMIT)
        )
        object.__setattr__(
            self, "local_bytes", integer("local_bytes", self.local_bytes, 0, 2**32 - 1)
        )
        sizes = tuple(integer("workgroup", size, 0) for size in self.workgroup)
        object.__setattr__(self, "workgroup", sizes)
        if len(sizes) != 3 or (any(sizes) and not 1 <= _threads(sizes) <= THREAD_LIMIT):
            raise ValueError(
                f"workgroup = {sizes}: three sizes with 1 to {THREAD_LIMIT} threads in all, or"
                " (0, 0, 0) where the launch decides"
            )

    def check_registers(self) -> None:
        """Check the registers that operands name.

        Raises
        ------
        RegisterOutOfRange
            a register is not declared.
        """
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
        """Return the kernel of that name, or the first.

        Raises
        ------
        KeyError
            there is none.
        """
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
        if integer("wave_width", self.wave_width) not in (8, 16, 32, 64):
            raise ValueError(f"wave_width = {self.wave_width}: 8, 16, 32 or 64")
        for name in ("grid", "workgroup"):
            given = getattr(self, name)
            sizes = tuple(integer(name, size) for size in given)
            if len(sizes) != 3:
                raise ValueError(f"{name} = {given}: three numbers, each 1 or more")
            object.__setattr__(self, name, sizes)
        if self.local_bytes is not None:
            object.__setattr__(self, "local_bytes", integer("local_bytes", self.local_bytes, 0))
        if self.threads > THREAD_LIMIT:
            raise DispatchRejected(
                f"workgroup = {self.workgroup}: the core takes {THREAD_LIMIT} threads, not"
                f" {self.threads}"
            )
        if self.workgroups * self.waves >= WAVE_LIMIT:
            raise DispatchRejected(
                f"grid = {self.grid}: {self.workgroups * self.waves} waves, fewer than"
                f" {WAVE_LIMIT} are allowed"
            )

    @property
    def threads(self) -> int:
        """Threads of one workgroup."""
        return _threads(self.workgroup)

    @property
    def waves(self) -> int:
        """Waves of one workgroup, the last one perhaps partly empty."""
        return -(-self.threads // self.wave_width)

    @property
    def workgroups(self) -> int:
        """Workgroups of the grid."""
        return self.grid[0] * self.grid[1] * self.grid[2]
