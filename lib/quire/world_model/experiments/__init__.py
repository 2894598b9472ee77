"""The chapter's experiments: named functions that return rows; loops do not belong in cells."""
