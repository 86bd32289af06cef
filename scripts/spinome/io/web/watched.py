"""Connections whose every byte is watched as it arrives, so that no server can hold them for ever.

The timeout of a socket starts anew with each byte, and what lies between it and the content (headers, interim answers,
frames of chunks, what follows the last chunk) has no bound of its own in time. Here the bytes are counted where they
leave the socket, whatever they are.
"""

from __future__ import annotations

import http.client
import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from spinome.io.web.limits import Allowance, DownloadError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# most that may arrive between two blocks of content, headers for example, of which servers send some kB
MOST_WITHOUT_CONTENT = 1 << 20


class BrokenTransferError(Exception):
    """A transfer that may go well another time; `wait_s` is what the server asks to wait until then."""

    def __init__(self, reason: object, wait_s: float = 0.0) -> None:
        super().__init__(str(reason))
        self.wait_s = wait_s


class Watch:
    """Counts what one request brings; raises where it is too slow, too late, or brings bytes without content."""

    def __init__(self, source: str, allowance: Allowance) -> None:
        self._source, self._allowance = source, allowance
        self._since, self._in_window, self._without_content = time.monotonic(), 0, 0

    def received(self, count: int) -> None:
        """Count bytes that left the socket."""
        self._allowance.require_time(self._source)
        self._without_content += count
        if self._without_content > MOST_WITHOUT_CONTENT:
            raise DownloadError(f"{self._source}: sends {self._without_content} bytes without content; is it a server?")
        self._in_window += count
        limits, now = self._allowance.limits, time.monotonic()
        if now - self._since >= limits.patience_s:
            if self._in_window < 1000 * limits.min_kb_per_s * limits.patience_s:
                raise BrokenTransferError(
                    f"only {self._in_window} bytes came in {now - self._since:.3g} s, fewer than "
                    f"retrieve.limits.min_kb_per_s ({limits.min_kb_per_s:g})"
                )
            self._since, self._in_window = now, 0

    def delivered(self) -> None:
        """Say that a block of content came out."""
        self._without_content = 0


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """Let the answers to requests of this thread be watched, those of `watched_session`."""
    token = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(token)


def watched_session(connections: int) -> requests.Session:
    """A session whose answers are watched; it keeps so many connections open."""
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(pool_maxsize=connections))
    return session


_watch: ContextVar[Watch] = ContextVar("watch")


class _WatchedStream(io.RawIOBase):
    def __init__(self, stream: io.RawIOBase, watch: Watch) -> None:
        self._stream, self._watch = stream, watch

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        count = self._stream.readinto(buffer)
        self._watch.received(count or 0)
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, *args, **options) -> None:
        super().__init__(*args, **options)
        self.fp = io.BufferedReader(_WatchedStream(self.fp.detach(), _watch.get()))


# errors name these four
class Connection(HTTPConnection):
    """A connection whose answers are watched."""

    response_class = _Response


class SecureConnection(HTTPSConnection):
    """An encrypted connection whose answers are watched."""

    response_class = _Response


class Connections(HTTPConnectionPool):
    """The connections to one host."""

    ConnectionCls = Connection


class SecureConnections(HTTPSConnectionPool):
    """The encrypted connections to one host."""

    ConnectionCls = SecureConnection


POOLS = {"http": Connections, "https": SecureConnections}


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args, **options) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, *args, **options):
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = POOLS
        return manager
