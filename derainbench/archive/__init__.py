"""Results as one file that others can read, keep and compute again from."""
