"""Cells of the papers' tables that somebody transcribed: their form, how they join, what they claim."""
