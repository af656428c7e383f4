"""What a benchmark configuration may say."""
