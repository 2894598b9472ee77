"""What chapter 11 measures, as functions that return rows.

`settings` (workloads, intervals), `attainment` (engines and policies), `headline` (where 61.67 %
can be reached), `laws` (the capacity law, the map of regimes), `optimum` (against the bound, noise,
who pays, recomputing), `outside` (measured copies, public threads), `agreement` (our codes against
each other and against peers), `pictures`.
"""
