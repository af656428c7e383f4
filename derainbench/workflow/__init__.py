"""What the rules of the workflow ask: which code, catalogue, libraries and images decide a result."""
