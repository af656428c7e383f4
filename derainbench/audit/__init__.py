"""From results to verdicts on claims, and to drifts from a reference."""
