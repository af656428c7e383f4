"""Intervals, tests, effects: pure functions on numbers."""
