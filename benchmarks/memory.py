"""How much memory a process holds: resident set size, after everything that can be given back was given back."""

from __future__ import annotations

import ctypes
import gc
import os
import sys

MEGABYTE = 1024 * 1024


def resident() -> float:
    """The megabytes of this process that are in memory now (on Linux; elsewhere the most it ever held)."""
    gc.collect()
    _trim()
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 (nothing is imported to measure)
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MEGABYTE
    except OSError:
        return _peak()


def _trim() -> None:
    """Have the C library give freed memory back, where it knows how to."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


def _peak() -> float:
    import resource  # noqa: PLC0415 (there is none on Windows)

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MEGABYTE
