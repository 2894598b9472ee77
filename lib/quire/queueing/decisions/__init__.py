"""Who decides what and when: semi-Markov decision models of a farm, and solvers for any such model.

Read ``semi_markov`` (the problem the solvers see), ``farm_models`` (V1, V2, V3), ``stationary`` (a
policy's long-run averages), ``value_iteration``, ``_policy_iteration``, ``_linear_program``,
``solvers`` (one door to all of them), ``index_policy``, ``pareto`` (servers against time) and
``textbook`` (problems with known answers).
"""
