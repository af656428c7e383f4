"""Bringing data sets in: downloads, archives, layouts."""
