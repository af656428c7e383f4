"""One training by several processes, a GPU each or none: what they share, and what they agree on."""
