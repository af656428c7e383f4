"""Spikes at rain and at clean places."""
