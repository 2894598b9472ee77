"""All that talks to packages made by others: ``ortools``, ``mctx``, ``torch``."""
