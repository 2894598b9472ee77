"""The chapter's experiments: each returns a table, a list of rows or a few numbers.

``setting`` (what is drawn and chosen before a batch is judged), ``comparison`` (one batch under
every scheduler), ``tables`` (ablation, gains, regimes, shifting data), ``dynamicity`` (how much
batches vary and static cuts idle), ``deadlines`` (schedules in time), ``emulation`` (theory, speed,
reuse), ``memory`` (limits, recomputation), ``others`` (other people's schedulers, tables and
solvers), ``examples`` (small steps to redo by hand), ``statistics`` (means and shares with their
intervals).
"""
