"""Restoring images and scoring them under named protocols."""
