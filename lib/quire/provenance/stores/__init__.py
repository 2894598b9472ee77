"""Where records are kept: folders of JSON lines, tables of a population, SQLite, DuckDB."""
