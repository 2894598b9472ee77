"""The gauntlet: attempts to get past a running kernel.

Read in this order: ``arena`` (a kernel, a client, protected files), ``directives``, ``paths``,
``replays``, ``messages`` (single attempts, class by class), ``classes`` (how many of each, and what
came of them).
"""
