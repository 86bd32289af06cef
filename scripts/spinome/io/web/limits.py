"""What may be taken from outside at most: bytes, seconds, attempts, steps from one address to the next."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from threading import Lock
from typing import Literal

BYTES = 1_000_000_000
# where the workflow leaves the limits of its configuration for every job that reads from an address
VARIABLE = "SPINOME_RETRIEVE_LIMITS"


class DownloadError(RuntimeError):
    """A source is out of reach, too large or too slow, or sent something else; the message says what to do."""


class OutOfReachError(DownloadError):
    """No attempt came to its end: the network or the server, and not what was asked for."""


class TooLargeError(DownloadError):
    """A source is larger than is allowed; what came of it is of no use."""


@dataclass(frozen=True)
class Limits:
    """The section `retrieve.limits` of the configuration, which describes each of these."""

    max_gb: float = 100
    max_mesh_gb: float = 2
    max_hours: float = 24
    patience_s: float = 60
    min_kb_per_s: float = 10
    attempts: int = 6
    max_depth: int = 5

    @classmethod
    def configured(cls) -> Limits:
        """Those of the configuration in a job of the workflow, the defaults elsewhere."""
        return cls(**json.loads(os.environ.get(VARIABLE, "{}")))


class Allowance:
    """What is left of the limits for one source, over all of its files, attempts and threads.

    Parameters
    ----------
    limits : by default those that are configured
    size : which limit holds for the sum of what is kept
    """

    def __init__(self, limits: Limits | None = None, size: Literal["max_gb", "max_mesh_gb"] = "max_gb") -> None:
        self.limits = limits or Limits.configured()
        self.size = size
        self.max_bytes = int(getattr(self.limits, size) * BYTES)
        self._end = time.monotonic() + 3600 * self.limits.max_hours
        self._taken = 0
        self._lock = Lock()

    @property
    def left(self) -> int:
        """Bytes that may still be taken."""
        return self.max_bytes - self._taken

    @property
    def seconds_left(self) -> float:
        """Seconds until `max_hours` are over, at least 0."""
        return max(0.0, self._end - time.monotonic())

    def take(self, count: int, source: str) -> None:
        """Count bytes of a source that are kept; a negative number gives them back.

        Raises
        ------
        TooLargeError: if they are more than is left.
        """
        with self._lock:
            self._taken += count
            if self._taken > self.max_bytes:
                self.refuse_size(source)

    def refuse_size(self, source: str, stated: int | None = None) -> None:
        """Raise the TooLargeError of a source; `stated` is the size that it gives itself."""
        size = f"it says {stated} bytes" if stated is not None else "what came was cut off there"
        raise TooLargeError(
            f"{source}: is larger than {getattr(self.limits, self.size):g} GB, the most that is retrieved ({size}). "
            f"If it is right that it is so large, raise retrieve.limits.{self.size}"
        )

    def require_time(self, source: str) -> None:
        """Raise a DownloadError where `max_hours` are over."""
        if not self.seconds_left:
            raise DownloadError(
                f"{source}: took longer than {self.limits.max_hours:g} h. Run again where it is nearly whole, or raise "
                "retrieve.limits.max_hours"
            )
