"""Our kernels as WAVE assembly, with the sizes as arguments.

Each returns text; addresses are bytes in device memory. The patterns are the usual ones: a guarded
map, tree and butterfly reductions, a privatised histogram, a tiled product, scans.
"""


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


def gemm(size: int, tile: int, padded: bool = False, transposed: bool = False) -> str:
    """``C = A B`` for grid matrices of ``size`` in single precision, by grid tiles.

    A, B, C lie one after another. One thread per element of a tile, fused multiply-adds in rising
    k. A local tile has rows of ``tile`` words, or of ``tile`` + 1 if ``padded``; ``transposed``
    keeps the tile of B by columns, so that the inner loop reads it with a stride of one row.
    """
    row = tile + padded
    step = row if transposed else 1  # words between neighbours along a row of B
    down = 1 if transposed else row  # words between neighbours along a column of B
    matrix = 4 * size * size
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
        imul r23, r0, r28
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
        endloop
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
