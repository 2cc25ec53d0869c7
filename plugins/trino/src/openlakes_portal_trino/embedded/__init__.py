"""The engine `duckdb`: DuckDB over Iceberg tables, each statement in a worker process of its own."""
