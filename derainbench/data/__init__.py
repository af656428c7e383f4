"""Data sets: reading, checking, pairing and generating."""
