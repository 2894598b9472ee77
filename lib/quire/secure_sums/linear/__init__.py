"""Linear protocols over finite fields: exact leakage, schemes, and enumerations.

Read in this order: `fields`, `ranks`; `protocols`, `zero_sum`; `_leakage`, `brute_force`;
`enumeration`; `groupwise`, `dropouts`; `graphs`, `graph_schemes`.
"""
