"""Files that can no longer be read as what they were written as."""

from __future__ import annotations

from pathlib import Path


class DamagedError(ValueError):
    """A file that is truncated, altered or gone; `path` is what has to be made or copied again.

    `path` may be a source `file::name`. A workflow that wrote the file itself removes it, so that the next run makes it
    again.
    """

    def __init__(self, path: str | Path, what: str):
        self.path = str(path).partition("::")[0]
        super().__init__(f"{path}: {what}")

    def __reduce__(self):
        # an exception is rebuilt from `args`, which hold the whole message alone
        return _damaged, (self.path, str(self))


def _damaged(path: str, message: str) -> DamagedError:
    return DamagedError(path, message.removeprefix(f"{path}: "))
