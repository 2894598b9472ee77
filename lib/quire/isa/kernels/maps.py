"""Kernels whose threads work alone: the sum of two vectors, and a divergent loop."""


def vadd(count: int) -> str:
    """``C = A + B`` in single precision for ``count`` elements; A, B, C lie one after another."""
    size = 4 * count
    return f"""
.kernel vadd
.registers 16
    mov_sr r0, sr_thread_id_x
    mov_sr r1, sr_workgroup_id_x
    mov_sr r2, sr_workgroup_size_x
    imad r0, r1, r2, r0
    mov_imm r3, {count}
    icmp_lt p1, r0, r3
    if p1
        mov_imm r4, 2
        shl r5, r0, r4
        mov_imm r6, {size}
        iadd r7, r5, r6
        iadd r8, r7, r6
        device_load_u32 r9, r5
        device_load_u32 r10, r7
        fadd r11, r9, r10
        device_store_u32 r8, r11
    endif
    halt
.end
"""


def collatz(out: int, limit: int = 1000) -> str:
    """Count the steps of 3n+1 until 1 for n = 1 + thread, at most ``limit``; strongly divergent."""
    return f"""
.kernel collatz
.registers 16
    mov_sr r0, sr_thread_id_x
    mov_sr r1, sr_workgroup_id_x
    mov_sr r2, sr_workgroup_size_x
    imad r0, r1, r2, r0
    mov_imm r3, 1
    mov_imm r4, 3
    mov_imm r5, 0
    mov_imm r6, {limit}
    iadd r7, r0, r3
    loop
        icmp_le p1, r7, r3
        break p1
        icmp_ge p1, r5, r6
        break p1
        and r8, r7, r3
        icmp_eq p2, r8, r3
        if p2
            imad r7, r7, r4, r3
        else
            shr r7, r7, r3
        endif
        iadd r5, r5, r3
    endloop
    mov_imm r9, 2
    shl r10, r0, r9
    mov_imm r11, {out}
    iadd r10, r10, r11
    device_store_u32 r10, r5
    halt
.end
"""
