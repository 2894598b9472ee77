"""Gauss-Jordan elimination and partial reduction.

Read ``gauss_jordan`` (the method, blocked too), ``costs`` (what it should take), ``threads`` (rows
shared by threads), ``sharded`` (rows shared by JAX devices), ``reduction`` (the paper's partial
reduction), ``low_rank`` (Woodbury's rival of it).
"""
