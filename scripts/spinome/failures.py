"""What may fail: a unit, up to a fraction of them, with its reason in a table; the machine never.

A fault of a unit (an empty mesh, a truncated file) goes to the table of failures and the others go on. A fault of the
machine (a full disk, no memory, an unreadable disk) would make units fail that are all right, so it stops the job and
the next run tries again.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from pathlib import Path

from spinome.io.damage import DamagedError

COLUMNS = ["step", "unit", "reason"]
MACHINE_ERRORS = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
        errno.ENOMEM,
        errno.EIO,
        errno.EROFS,
        errno.EMFILE,
        errno.ENFILE,
        errno.ESTALE,
        errno.ENODEV,
        errno.ENXIO,
        errno.EBUSY,
        errno.EAGAIN,
    }
)
# libraries in C++ and Rust pass on the system's message without its number
MACHINE_WORDS = (
    "no space left on device",
    "disk quota exceeded",
    "file too large",
    "cannot allocate memory",
    "can't allocate memory",
    "unable to allocate",
    "out of memory",
    "resource_exhausted",
    "input/output error",
    "read-only file system",
    "too many open files",
    "stale file handle",
)


def allowed_failures(units: int, max_failed_fraction: float) -> float:
    """How many units may fail; a single one always may, since a fraction of few says little, unless it is 0."""
    return max(1, max_failed_fraction * units) if max_failed_fraction else 0


def too_many(failed: int, units: int, max_failed_fraction: float) -> bool:
    """Whether so many units failed that the run should stop: all of them, or more than `allowed_failures`."""
    return failed > 0 and (failed == units or failed > allowed_failures(units, max_failed_fraction))


def is_machine_fault(error: BaseException, own: Callable[[str | Path], bool] | None = None) -> bool:
    """Whether an error, or one that it came from, is a fault of the machine and not of the unit.

    Parameters
    ----------
    error : as it was caught
    own : whether a file was made by this workflow; a damaged one is no fault of the unit that reads it
    """
    for cause in _causes(error):
        if isinstance(cause, MemoryError):
            return True
        if isinstance(cause, OSError) and cause.errno in MACHINE_ERRORS:
            return True
        if isinstance(cause, DamagedError) and own is not None and own(cause.path):
            return True
        if any(words in str(cause).lower() for words in MACHINE_WORDS):
            return True
    return False


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was raised from, and what was being handled when it was raised."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        cause = waiting.pop()
        if cause is not None and not any(cause is other for other in seen):
            seen.append(cause)
            yield cause
            waiting += [cause.__cause__, cause.__context__]
