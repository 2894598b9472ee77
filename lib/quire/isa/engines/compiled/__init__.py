"""The trace compiler's parts.

`blocks` (a kernel as a tree), `lane_arrays` (registers and memories as arrays of threads by
workgroups), `constants` (what is known before anything runs).
"""
