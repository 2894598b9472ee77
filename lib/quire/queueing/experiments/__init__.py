"""The experiments of the chapter on server allocation, one named function each.

Read ``one_farm`` (policies and the optimum on one farm), ``many_farms`` (gaps over a map or an
atlas, in V1 and V2), ``spending`` (response time at equal spending), ``setups`` (crossovers and
setup laws), ``settings`` (one formula, an autoscaler), ``several_sites`` and ``agreement`` (checks
against formulas, simulation, other solvers and textbooks).
"""
