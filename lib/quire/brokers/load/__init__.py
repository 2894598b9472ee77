"""The open-loop generator.

``workloads`` says what is sent; ``generator`` runs it in processes of its own (``_child``, forked
by ``_fork_server``, talked to by ``_children``); ``closed_loop`` is the careless way, which leaves
out what it waits for.
"""
