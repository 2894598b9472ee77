"""The array engines: all lanes of a batch of workgroups in one array.

Read `microcode` (what an instruction becomes), `datapath` (what it does to lanes) with
`reductions` (whole-array questions), `interpreter` (sprints over plain instructions), and what a
sprint leaves to others: `units`, `control` (the mask stack), `calls`, `memory`, `races`. `liveness`
says what must be cleared between batches, `layout` how a launch lies in the arrays; `machine`
loads, runs and diagnoses.
"""
