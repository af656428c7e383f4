"""The page: a folder that opens from disk."""
