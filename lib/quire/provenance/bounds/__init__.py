"""Bounds on what any decoder recovers of a field from less than the record."""
