"""Freed memory that is kept for the next step.

Training allocates the same large arrays at every step and frees them again. The C library returns large blocks to the
operating system at once, which hands out zeroed pages anew, one by one, when they are next written: on Linux a third to
a half of the time of a convolutional network's step on the CPU. `keep_freed_memory` makes glibc keep them.
"""

import ctypes
import sys

__all__ = ["keep_freed_memory"]

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # glibc's malloc.h: M_TRIM_THRESHOLD, M_MMAP_MAX


def keep_freed_memory() -> bool:
    """Keep freed memory in this process from here on, for its next arrays; return whether that could be arranged.

    The process then never becomes smaller than it once was. This is a setting of the C library for the whole process,
    so nothing in minigrad makes it on import: a program that trains on the CPU calls it once, first. It is glibc's
    (Linux); with another C library nothing is changed, and the answer is False.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # not glibc
        return False
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, -1))
