"""Whatever talks to others' packages: ``ortools``, ``ortools_layers``, ``mctx``, ``torch``."""
