"""Facts as data, each with its source, and the readers of their files."""
