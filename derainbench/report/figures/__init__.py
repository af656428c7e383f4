"""The figures: one file per figure or family of figures."""
