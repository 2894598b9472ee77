"""Inertial observers.

``boosts`` (order under a boost), ``slowest`` (the least speed that sees a given state),
``observers`` (which states frames show), ``magnitudes`` (which effects are real).
"""
