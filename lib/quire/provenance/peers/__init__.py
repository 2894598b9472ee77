"""Other people's packages: `duckdb`, `sklearn`, and what the peers `agents` and `inspect-ai` do."""
