"""The chapter's experiments, as plain rows.

What comes from a peer or a dataset is handed in by the caller.
"""
