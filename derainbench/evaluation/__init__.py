"""Restoring images and scoring them."""
