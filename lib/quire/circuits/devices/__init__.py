"""Nonlinear devices.

Read ``ports`` (how solvers see them), ``junctions`` (what they share), then ``diode``, ``bipolar``
and ``mosfet``.
"""
