"""Sums of many words: by a tree in local memory, or by shuffles."""


def reduce_local(out: int, barriers: bool = True) -> str:
    """Sum each workgroup's words by a tree in local memory, to ``out`` + 4 * workgroup.

    Without ``barriers`` it is the broken kernel that a real schedule exposes.
    """
    barrier = "barrier" if barriers else "nop"
    return f"""
.kernel reduce_local
.registers 16
.local_memory 4096
    mov_sr r0, sr_thread_id_x
    mov_sr r1, sr_workgroup_id_x
    mov_sr r2, sr_workgroup_size_x
    imad r3, r1, r2, r0
    mov_imm r4, 2
    shl r5, r3, r4
    device_load_u32 r6, r5
    shl r7, r0, r4
    local_store_u32 r7, r6
    {barrier}
    mov_imm r8, 1
    shr r9, r2, r8
    mov_imm r10, 0
    loop
        icmp_eq p1, r9, r10
        break p1
        icmp_lt p2, r0, r9
        if p2
            iadd r11, r0, r9
            shl r11, r11, r4
            local_load_u32 r12, r11
            local_load_u32 r13, r7
            iadd r13, r13, r12
            local_store_u32 r7, r13
        endif
        {barrier}
        shr r9, r9, r8
    endloop
    icmp_eq p3, r0, r10
    if p3
        local_load_u32 r13, r10
        shl r14, r1, r4
        mov_imm r15, {out}
        iadd r14, r14, r15
        device_store_u32 r14, r13
    endif
    halt
.end
"""


def reduce_shuffle(out: int) -> str:
    """Sum by a butterfly of shuffles in each wave, then by one local word per wave."""
    return f"""
.kernel reduce_shuffle
.registers 20
.local_memory 1024
    mov_sr r0, sr_thread_id_x
    mov_sr r1, sr_workgroup_id_x
    mov_sr r2, sr_workgroup_size_x
    imad r3, r1, r2, r0
    mov_imm r4, 2
    shl r5, r3, r4
    device_load_u32 r6, r5
    mov_sr r7, sr_wave_width
    mov_imm r8, 1
    shr r9, r7, r8
    mov_imm r10, 0
    loop
        icmp_eq p1, r9, r10
        break p1
        wave_shuffle_xor r11, r6, r9
        iadd r6, r6, r11
        shr r9, r9, r8
    endloop
    mov_sr r12, sr_lane_id
    mov_sr r13, sr_wave_id
    icmp_eq p2, r12, r10
    if p2
        shl r14, r13, r4
        local_store_u32 r14, r6
    endif
    barrier
    icmp_eq p3, r0, r10
    if p3
        mov_sr r15, sr_num_waves
        mov r16, r10
        mov r17, r10
        loop
            icmp_ge p1, r16, r15
            break p1
            shl r14, r16, r4
            local_load_u32 r18, r14
            iadd r17, r17, r18
            iadd r16, r16, r8
        endloop
        shl r14, r1, r4
        mov_imm r19, {out}
        iadd r14, r14, r19
        device_store_u32 r14, r17
    endif
    halt
.end
"""


REDUCTIONS = ("tree", "shuffle", "read")
_THREADS = 256


def reduction(elements: int, workgroups: int, how: str) -> str:
    """Sum ``elements`` words a thread, then a workgroup of 256 threads, as a compiler would write.

    ``how`` is ``"tree"`` (local memory, a barrier a level), ``"shuffle"`` (within waves of 32, then
    one local word a wave) or ``"read"`` (the threads' sums alone: the price of reading). Thread t
    reads words t, t + 256 workgroups, and so on; the sums go behind the data, one word a workgroup.
    Loops over tree levels are unrolled.

    Raises
    ------
    ValueError
        another ``how``.
    """
    if how not in REDUCTIONS:
        raise ValueError(f"how = {how!r}: one of {', '.join(map(repr, REDUCTIONS))}")
    stride = 4 * _THREADS * workgroups
    lines = [".kernel reduction", ".registers 16", f".local_memory {4 * _THREADS}"]
    lines += ["mov_sr r0, sr_thread_id_x", "mov_sr r1, sr_workgroup_id_x"]
    lines += [f"mov_imm r2, {_THREADS}", "mov_imm r3, 2", "imad r4, r1, r2, r0", "shl r5, r4, r3"]
    lines += ["shl r7, r0, r3"]
    if elements == 1:
        lines += ["device_load_u32 r6, r5"]
    else:
        lines += [f"mov_imm r8, {stride}", f"mov_imm r9, {stride * elements}", "mov_imm r6, 0"]
        lines += ["loop", "icmp_ge p1, r5, r9", "break p1", "device_load_u32 r10, r5"]
        lines += ["iadd r6, r6, r10", "iadd r5, r5, r8", "endloop"]
    lines += {"tree": _tree, "shuffle": _shuffles, "read": _nothing}[how]()
    lines += ["if p3", "shl r14, r1, r3", f"mov_imm r15, {stride * elements}"]
    lines += ["iadd r14, r14, r15", "device_store_u32 r14, r6", "endif", "halt", ".end"]
    return "\n".join(lines) + "\n"


def _tree() -> list[str]:
    lines, span = ["local_store_u32 r7, r6", "barrier"], _THREADS // 2
    while span:
        lines += [f"mov_imm r11, {span}", "icmp_lt p2, r0, r11", "if p2"]
        lines += [f"mov_imm r11, {4 * span}", "iadd r11, r7, r11", "local_load_u32 r12, r11"]
        lines += ["local_load_u32 r13, r7", "iadd r6, r13, r12", "local_store_u32 r7, r6", "endif"]
        lines += ["barrier"]
        span //= 2
    return [*lines, "mov_imm r11, 0", "icmp_eq p3, r0, r11"]


def _shuffles() -> list[str]:
    def butterfly(span: int) -> list[str]:
        steps = []
        while span:
            steps += [f"mov_imm r11, {span}", "wave_shuffle_down r12, r6, r11", "iadd r6, r6, r12"]
            span //= 2
        return steps

    lines = [*butterfly(16), "mov_sr r13, sr_lane_id", "mov_sr r12, sr_wave_id", "mov_imm r11, 0"]
    lines += ["icmp_eq p2, r13, r11", "shl r12, r12, r3", "@p2 local_store_u32 r12, r6", "barrier"]
    lines += [f"mov_imm r11, {_THREADS // 32}", "icmp_lt p2, r0, r11", "mov_imm r6, 0"]
    lines += ["mov_imm r12, 32", "icmp_lt p3, r0, r12", "if p3", "@p2 local_load_u32 r6, r7"]
    lines += [*butterfly(_THREADS // 64), "endif", "mov_imm r11, 0", "icmp_eq p3, r0, r11"]
    return lines


def _nothing() -> list[str]:
    """Store a sum that no data has, so that reading is not for nothing."""
    return ["mov_imm r11, 0xFFFFFFFF", "icmp_eq p3, r6, r11"]
