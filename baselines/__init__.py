"""ANN derainers that ESDNet is compared with, one module each.

A baseline joins by adding one file; see :mod:`baselines.registry`.
"""
