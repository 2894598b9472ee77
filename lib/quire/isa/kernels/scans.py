"""Exclusive sums."""


def scan(out: int) -> str:
    """Exclusive sums of 256 words by Hillis and Steele's doubling, with two barriers per round."""
    return f"""
.kernel scan
.registers 16
.local_memory 1024
    mov_sr r0, sr_thread_id_x
    mov_imm r4, 2
    shl r7, r0, r4
    device_load_u32 r6, r7
    mov r15, r6
    local_store_u32 r7, r6
    barrier
    mov_imm r8, 1
    mov_imm r9, 256
    mov_imm r10, 1
    loop
        icmp_ge p1, r8, r9
        break p1
        icmp_ge p2, r0, r8
        mov_imm r12, 0
        if p2
            isub r11, r0, r8
            shl r11, r11, r4
            local_load_u32 r12, r11
        endif
        barrier
        local_load_u32 r13, r7
        iadd r13, r13, r12
        local_store_u32 r7, r13
        barrier
        shl r8, r8, r10
    endloop
    local_load_u32 r13, r7
    isub r13, r13, r15
    mov_imm r14, {out}
    iadd r14, r7, r14
    device_store_u32 r14, r13
    halt
.end
"""
