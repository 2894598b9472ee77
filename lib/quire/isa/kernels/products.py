"""Products of square matrices by tiles."""


def gemm(
    size: int, tile: int, padding: int = 0, by_columns: bool = False, unrolled: bool = False
) -> str:
    """Multiply: ``C = A B`` for square matrices of ``size`` in single precision.

    A, B, C lie one after another. One thread per element of a tile, fused multiply-adds in rising
    k. A local tile has rows of ``tile + padding`` words; ``by_columns`` keeps the tile of B by
    columns, so that the inner loop reads it with a stride of one row; ``unrolled`` writes the inner
    loop out, as a compiler does.
    """
    row = tile + padding
    step = row if by_columns else 1  # words between neighbours along a row of B
    down = 1 if by_columns else row  # words between neighbours along a column of B
    matrix = 4 * size * size
    inner = _written_out(tile, down) if unrolled else _INNER
    return f"""
.kernel gemm
.registers 32
.local_memory {8 * tile * row}
    mov_sr r0, sr_thread_id_x
    mov_sr r1, sr_thread_id_y
    mov_sr r2, sr_workgroup_id_x
    mov_sr r3, sr_workgroup_id_y
    mov_imm r4, {tile}
    mov_imm r5, {size}
    imad r6, r3, r4, r1
    imad r7, r2, r4, r0
    mov_imm r8, 0
    mov_imm r9, 0
    mov_imm r10, 2
    mov_imm r11, 1
    mov_imm r12, {size // tile}
    mov_imm r26, {row}
    mov_imm r28, {step}
    mov_imm r29, {down}
    mov_imm r24, {4 * tile * row}
    imad r13, r1, r26, r0
    shl r13, r13, r10
    imul r14, r1, r29
    imad r14, r0, r28, r14
    shl r14, r14, r10
    iadd r14, r14, r24
    loop
        icmp_ge p1, r9, r12
        break p1
        imul r15, r9, r4
        iadd r16, r15, r0
        imad r17, r6, r5, r16
        shl r17, r17, r10
        device_load_u32 r18, r17
        local_store_u32 r13, r18
        iadd r16, r15, r1
        imad r17, r16, r5, r7
        shl r17, r17, r10
        mov_imm r19, {matrix}
        iadd r17, r17, r19
        device_load_u32 r18, r17
        local_store_u32 r14, r18
        barrier
        mov_imm r20, 0
        imul r23, r0, r28{inner}
        barrier
        iadd r9, r9, r11
    endloop
    imad r26, r6, r5, r7
    shl r26, r26, r10
    mov_imm r27, {2 * matrix}
    iadd r26, r26, r27
    device_store_u32 r26, r8
    halt
.end
"""


_INNER = """
        loop
            icmp_ge p2, r20, r4
            break p2
            imad r21, r1, r26, r20
            shl r21, r21, r10
            local_load_u32 r22, r21
            imad r27, r20, r29, r23
            shl r27, r27, r10
            iadd r27, r27, r24
            local_load_u32 r25, r27
            fma r8, r22, r25, r8
            iadd r20, r20, r11
        endloop"""


def _written_out(tile: int, down: int) -> str:
    lines = ["imul r21, r1, r26", "shl r21, r21, r10", "shl r27, r23, r10", "iadd r27, r27, r24"]
    lines += ["mov_imm r20, 4", f"mov_imm r30, {4 * down}"]
    for k in range(tile):
        lines += ["iadd r21, r21, r20", "iadd r27, r27, r30"] if k else []
        lines += ["local_load_u32 r22, r21", "local_load_u32 r25, r27", "fma r8, r22, r25, r8"]
    return "".join(f"\n        {line}" for line in lines)
