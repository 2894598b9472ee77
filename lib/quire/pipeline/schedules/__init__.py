"""Who runs what, and in which order: programs of a model, and rules that order them.

``static`` (GPipe, 1F1B, interleaved), ``heaps`` and ``list_scheduling``, ``warmup_orders``,
``weight_gradients`` and ``zero_bubble``, ``partition`` (static cuts), ``segments`` (segments and
pieces), ``multimodal`` (published ideas as baselines), ``action_tables`` (PyTorch's format).
"""
