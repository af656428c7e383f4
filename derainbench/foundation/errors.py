"""The one kind of error that reaches a user as a single line."""


class BenchError(Exception):
    """Something in the input is wrong. The message is one line: what, in which file, what to do."""
