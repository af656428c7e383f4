"""Memory that a process frees stays with the process, for what it asks for next.

Feature maps come and go by the megabyte. The C library of most Linux systems (glibc) hands blocks of that size
back to the system when they are freed, and gets fresh ones, which the system fills with zeros page
by page at their first use: two fifths of the time of restoring an image in tiles. What is computed stays
the same; docs/speed.md has what it brings.
"""

from __future__ import annotations

import ctypes
import os

SWITCH = "DERAINBENCH_KEEP_MEMORY"  # environment variable: "0" leaves the C library as it is
# https://www.gnu.org/software/libc/manual/html_node/Malloc-Tunable-Parameters.html, numbered as in malloc.h
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_NEVER = 2**31 - 1
_AT_ONCE = 64 * 2**20  # how much more than it needs the process asks the system for


def keep_freed_memory() -> bool:
    """Has this process keep what it frees, until it ends; forks of it do so too.

    Returns:
        Whether it does: not if :data:`SWITCH` is "0", nor where the C library is another one.
    """
    if os.environ.get(SWITCH) == "0":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):  # no such library, or no such function in it
        return False
    values = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _NEVER), (_TOP_PAD, _AT_ONCE))
    return all([mallopt(name, value) == 1 for name, value in values])
