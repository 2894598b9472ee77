"""Between processes: machine words, key ledgers, frames, credentials, users, and what breaks them.

Read `fixed_point` and `ledger` for what a single process needs too; then `frames`, `credentials`,
`node` (one user), `process` and `mesh` (all of them), `faults`; and `pairwise` and `audits` for the
seeded masks of deployed systems.
"""
