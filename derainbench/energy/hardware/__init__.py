"""Energy drawn by present hardware."""
