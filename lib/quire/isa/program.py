"""Programs as data: instructions, kernels, modules, and how they are launched."""

from dataclasses import dataclass, field

from quire.checks import integer, integers
from quire.isa.errors import DispatchRejected, RegisterOutOfRange
from quire.isa.table import PREDICATES, Operation
from quire.signatures import checked

LOCAL_LIMIT = 65536  # bytes of local memory that the core has
REGISTER_LIMIT = 256  # registers that an encoded operand can name
THREAD_LIMIT = 1024  # threads of one workgroup
_FIELDS = (
    *((name, REGISTER_LIMIT - 1) for name in ("rd", "rs1", "rs2", "rs3", "rs4")),
    *(("imm", 2**32 - 1), ("scope", 3), ("offset", 2**32 - 1), ("line", 2**62)),
)
WAVE_LIMIT = 2**30  # waves of one grid


def _threads(sizes: tuple[int, ...]) -> int:
    """Threads of a workgroup; a negative size counts as none."""
    return sizes[0] * sizes[1] * sizes[2] if min(sizes) > 0 else 0


@checked
@dataclass(frozen=True)
class Guard:
    """The predicate of ``@p`` or ``@!p`` before a mnemonic.

    Raises
    ------
    ValueError
        a predicate that does not exist, or ``negated`` that is no truth value.
    """

    register: int
    negated: bool = False

    def __post_init__(self) -> None:
        register = integer("register", self.register, 0, PREDICATES - 1)
        object.__setattr__(self, "register", register)


@checked
@dataclass(frozen=True)
class Instruction:
    """One instruction: its row of the table and the numbers in its fields.

    ``offset`` is its byte offset in the code, ``line`` its line in the text (0 when decoded).

    Raises
    ------
    ValueError
        an operation that is no row of the table, a number that its field cannot hold.
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

    def __post_init__(self) -> None:
        for name, most in _FIELDS:
            object.__setattr__(self, name, integer(name, getattr(self, name), 0, most))

    @property
    def mnemonic(self) -> str:
        """The mnemonic of its row."""
        return self.operation.mnemonic


@checked
@dataclass(frozen=True)
class Kernel:
    """One kernel: its instructions and what its directives declare.

    ``registers`` are per thread, ``local_bytes`` per workgroup; ``workgroup`` is (0, 0, 0) if the
    launch decides.

    Raises
    ------
    ValueError
        a name that is none in the assembler, more registers than an operand can name, a
        negative size, a workgroup that is neither (0, 0, 0) nor of 1 to 1024 threads.
    """

    name: str
    instructions: tuple[Instruction, ...]
    registers: int = 32
    local_bytes: int = 0
    workgroup: tuple[int, int, int] = (0, 0, 0)

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"name = {self.name!r}: must be a name that the assembler reads")
        object.__setattr__(
            self, "registers", integer("registers", self.registers, 1, REGISTER_LIMIT)
        )
        object.__setattr__(
            self, "local_bytes", integer("local_bytes", self.local_bytes, 0, 2**32 - 1)
        )
        sizes = tuple(integers("workgroup", self.workgroup, 0))
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


@checked
@dataclass(frozen=True)
class Module:
    """What one text or one container holds: kernels in their order in the code section.

    Raises
    ------
    ValueError
        something in it is no kernel.
    """

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


@checked
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
        width = integer("wave_width", self.wave_width)
        if width not in (8, 16, 32, 64):
            raise ValueError(f"wave_width = {width}: 8, 16, 32 or 64")
        object.__setattr__(self, "wave_width", width)
        for name in ("grid", "workgroup"):
            sizes = tuple(integers(name, getattr(self, name)))
            if len(sizes) != 3:
                raise ValueError(f"{name} = {sizes}: three numbers, each 1 or more")
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
