"""What chapter 10 measures, one named function per experiment; each returns rows or numbers.

Read `golden` (against the authors' toolchain), `widths` (width and order must not matter),
`mechanisms` (four engines, one memory), `hardware` (the cost model and the measured cards),
`predictions` (what it leaves possible on cards that were not measured),
`conformance` (deviations found again), `speed` (lane-instructions a second), `stepping` (a run,
step by step).
"""
