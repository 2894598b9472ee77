"""The chapter's experiments: named functions that return rows."""
