"""What chapter 06 measures, as functions that return rows.

`replays` (real runs and ablations), `artefact` (the paper's figures), `hopper` (a device of ours),
`bands` (how uncertain it is), `exactness` (our engines against each other), `speed`, `pictures`.
"""
