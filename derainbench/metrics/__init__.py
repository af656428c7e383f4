"""Image quality metrics: pure functions on arrays."""
