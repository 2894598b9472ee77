"""The chapter's experiments: named functions that return rows.

Read ``tasks`` (what clients are given), ``outcomes`` (what a run is asked), ``heterogeneity``,
``tuning``, ``contest``, ``silence``, ``atlas``, ``proxies``, ``citations``, ``algebra``, ``speed``.
"""
