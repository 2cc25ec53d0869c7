"""Real servers of other projects for the tests: PostgreSQL and Trino, each started once a run, on loopback only.

Downloads are kept below the cache folder by version. A server runs in a process group of its own and is
ended by its id.
"""
