"""What chapter 06 measures, as functions that return rows.

`replays` (real runs and ablations), `artefact` (the paper's figures), `cases` (a shared tier, other
devices), `memory` (attention in memory), `hopper` (a device of ours), `bands` (how uncertain it
is), `gradients` (constants fitted), `exactness` (our engines against each other), `speed`,
`pictures`.
"""
