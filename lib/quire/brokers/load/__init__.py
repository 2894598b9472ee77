"""The open-loop generator.

``workloads`` says what is sent; ``generator`` runs it in processes of its own (``_child``);
``closed_loop`` is the careless way, which leaves out what it waits for.
"""
