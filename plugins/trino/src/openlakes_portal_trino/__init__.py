"""SQL workbench: Trino, and DuckDB over Iceberg where there is none."""
