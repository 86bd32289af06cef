"""Where a script's words go, the log file of its rule, and how it ends when it cannot go on."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


def log_to(log: Iterable[str]) -> None:
    """Send all that this process prints, warnings and tracebacks of compiled code included, to the rule's log."""
    path = next(iter(log), None)
    if path is None:
        return
    sys.stdout.flush()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    sys.stdout.reconfigure(line_buffering=True)


@contextmanager
def plain_errors(*kinds: type[Exception]) -> Iterator[None]:
    """Let errors of these kinds, which say what is wrong and what to do, end the script without a traceback."""
    try:
        yield
    except kinds as error:
        raise SystemExit(str(error)) from None
