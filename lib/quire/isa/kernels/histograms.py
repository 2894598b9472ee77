"""Histograms of 256 bins."""


def histogram(out: int) -> str:
    """256 bins of the words' low bytes: atomics in local memory, then in device memory."""
    return f"""
.kernel histogram
.registers 16
.local_memory 1024
    mov_sr r0, sr_thread_id_x
    mov_sr r1, sr_workgroup_id_x
    mov_sr r2, sr_workgroup_size_x
    mov_imm r4, 2
    shl r7, r0, r4
    mov_imm r10, 0
    local_store_u32 r7, r10
    barrier
    imad r3, r1, r2, r0
    shl r5, r3, r4
    device_load_u32 r6, r5
    mov_imm r8, 255
    and r6, r6, r8
    shl r6, r6, r4
    mov_imm r9, 1
    local_atomic_add r6, r9
    barrier
    local_load_u32 r12, r7
    mov_imm r13, {out}
    iadd r14, r7, r13
    atomic_add r14, r12, device
    halt
.end
"""
