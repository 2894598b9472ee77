"""Small kernels to step by."""


def demonstration() -> str:
    """Sixteen threads to step by: a divergent loop with an if inside, a barrier, local memory."""
    return """
.kernel demonstration
.registers 8
.local_memory 64
    mov_sr r0, sr_thread_id_x
    mov_imm r1, 2
    shl r2, r0, r1
    mov_imm r3, 1
    and r4, r0, r3
    local_store_u32 r2, r0
    barrier
    loop
        icmp_le p1, r4, r3
        if p1
            iadd r5, r5, r0
        else
            isub r5, r5, r3
            icmp_gt p2, r4, r1
            break p2
        endif
        iadd r4, r4, r3
    endloop
    mov_imm r6, 60
    isub r6, r6, r2
    local_load_u32 r7, r6
    iadd r5, r5, r7
    device_store_u32 r2, r5
    halt
.end
"""
