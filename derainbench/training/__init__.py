"""Training one network by one recipe."""
