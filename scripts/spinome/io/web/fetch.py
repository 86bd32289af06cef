"""A small file, or a part of a large one, in memory."""

from __future__ import annotations

from http import HTTPStatus

from spinome.io.untrusted import gunzip
from spinome.io.web.addresses import without_password
from spinome.io.web.limits import Allowance, DownloadError
from spinome.io.web.transfer import Answer, get, persist
from spinome.io.web.watched import BrokenTransferError

# buckets that may be read but not listed answer 403 for what is not there
ABSENT = (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN)


def fetch(
    url: str,
    start: int | None = None,
    stop: int | None = None,
    allowance: Allowance | None = None,
    most: int | None = None,
    absent: tuple[int, ...] = ABSENT,
) -> bytes | None:
    """A small file, or bytes `start` to `stop` of a large one, in memory; None where the server has no such file.

    Parameters
    ----------
    allowance : limits of the source that the file is of; what is fetched is taken from it
    most : bytes that the file has at most
    absent : statuses that say that there is no such file

    Raises
    ------
    DownloadError: if the address is out of reach, or sends more or less than was asked for; the message says what to
        do.
    """
    allowance = allowance or Allowance()
    return persist(lambda: _fetch_once(url, start or 0, stop, allowance, most, absent), url, allowance)


def _fetch_once(
    url: str, start: int, stop: int | None, allowance: Allowance, most: int | None, absent: tuple[int, ...]
) -> bytes | None:
    shown, wanted = without_password(url), None if stop is None else stop - start
    if wanted == 0:
        return b""
    # a part of a compressed file cannot be unpacked
    headers = {"Accept-Encoding": "gzip"} if stop is None else {"Range": f"bytes={start}-{stop - 1}"}
    with get(url, allowance, headers, absent) as answer:
        if answer.status in absent:
            return None
        content = _read(answer, start, wanted, shown, allowance, most)
        encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding == "identity":
        return content
    if encoding not in ("gzip", "x-gzip") or wanted is not None:
        raise DownloadError(f"{shown}: is sent compressed ({encoding!r}) though that was not asked for")
    try:
        unpacked = gunzip(content, min(most or allowance.max_bytes, allowance.left + len(content)))
    except ValueError as error:
        raise DownloadError(f"{shown}: {error}; is it the right file?") from error
    allowance.take(len(unpacked) - len(content), shown)
    return unpacked


def _read(answer: Answer, start: int, wanted: int | None, shown: str, allowance: Allowance, most: int | None) -> bytes:
    """The content of an answer, or `wanted` bytes of it, which are taken from the allowance once they are whole."""
    skip = start if answer.status != HTTPStatus.PARTIAL_CONTENT else 0
    if not answer.starts_at(start - skip):
        raise BrokenTransferError(f"sends {answer.headers.get('Content-Range')!r}, not the bytes from {start} on")
    if skip > allowance.max_bytes:
        raise DownloadError(f"{shown}: is sent whole where a part from {start} on is asked for; use another server")
    content = bytearray()
    try:
        for block in answer.blocks:
            came, skip = block[skip:][: None if wanted is None else wanted - len(content)], max(0, skip - len(block))
            allowance.take(len(came), shown)
            content += came
            if most is not None and len(content) > most:
                raise DownloadError(f"{shown}: is longer than {most} bytes, the most that are read of such a file")
            if len(content) == wanted:
                break
        if wanted is not None and len(content) < wanted:
            raise BrokenTransferError(f"sent {len(content)} bytes of {wanted} from {start} on")
    except BrokenTransferError:
        allowance.take(-len(content), shown)
        raise
    return bytes(content)
