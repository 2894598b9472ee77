"""Many farms at once, in JAX.

Read ``_points`` (the parameters), ``full_setup`` (the infinite tail), ``levels`` (block elimination
of one policy), ``free_cancel`` (policy iteration for V1), ``tuning`` (families of simple policies),
``_atlas`` (thousands of farms with a proof each) and ``staffing_rule`` (one formula for a band).
"""
