"""The tables and figures that a paper has, made again."""
