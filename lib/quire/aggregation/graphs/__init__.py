"""Graphs and federations of them.

Read ``graph``, ``splits`` (cuts into clients), ``block_models`` (generated federations) and
``planetoid`` (Planetoid's files).
"""
