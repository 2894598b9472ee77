"""Four engines, one signature: ``run(kernel, launch, memory, …)`` gives the same memory.

Read `microcode` (what an instruction becomes), `datapath` (what it does to lanes) with `folding`,
then the mechanisms of divergence: `interpreter` (a mask stack, kept as one counter per lane: it
sprints over plain instructions, and `units`, `control`, `rare`, `memory` and `races` do the rest;
`liveness` says what must be cleared), `conversion` (predication by if-conversion), `lanes` (a
program counter per lane) and `traced` (execution masks compiled into one JAX function, from
`blocks`, `square` and what is `known` beforehand).
"""
