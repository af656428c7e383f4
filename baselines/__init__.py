"""ANN derainers that ESDNet is compared with, one module each.

A baseline joins by adding one file with a list ``CARDS`` of :class:`baselines.registry.ModelCard`.
"""
