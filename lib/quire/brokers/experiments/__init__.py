"""The chapter's experiments: on published tables, on laws and habits, and on real servers."""
