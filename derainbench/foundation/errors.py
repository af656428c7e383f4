"""The one kind of error that reaches a user as a single line."""


class BenchError(Exception):
    """Something in the input is wrong. The message is one line: what, in which file, what to do."""


# How torch says that memory has run out, on a CPU and on a GPU: it has no exception of its own for the CPU.
_WANT_OF_MEMORY = ("can't allocate memory", "out of memory", "bad alloc")


def want_of_memory(error: BaseException) -> str:
    """What to tell a user whose memory has run out, in a line; "" for any other error.

    Args:
        error: that ended a call.
    """
    said = str(error).strip().partition("\n")[0]
    if not isinstance(error, MemoryError) and not any(part in said for part in _WANT_OF_MEMORY):
        return ""
    detail = said.rpartition("DefaultCPUAllocator: ")[2]
    return f"not enough memory{f' ({detail})' if detail else ''}"
