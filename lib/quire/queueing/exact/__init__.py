"""Queues with an exact answer.

Read ``closed_forms`` (formulas), then ``matrix_geometric`` (M/M/k with setup on infinitely many
levels).
"""
