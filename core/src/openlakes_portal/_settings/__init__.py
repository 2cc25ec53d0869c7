"""Settings: one typed tree, read from a file and the environment, each value with where it came from."""
