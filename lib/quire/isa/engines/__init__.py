"""Four engines, one signature: ``run(kernel, launch, memory, …)`` gives the same memory.

Read `microcode` (what an instruction becomes), `datapath` (what it does to lanes), then the
mechanisms of divergence: `interpreter` (a mask stack, kept as one counter per lane), `conversion`
(predication by if-conversion), `lanes` (a program counter per lane) and `traced` (execution masks
compiled into one JAX function).
"""
