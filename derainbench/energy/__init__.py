"""Operation counts and arithmetic energy."""
