"""Statistics and, from them, verdicts."""
