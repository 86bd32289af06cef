"""Files by address: checked against a checksum, kept once they are there, resumed after a break, bounded in size."""

from __future__ import annotations

import glob
import hashlib
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from spinome.io.untrusted import gunzip
from spinome.retrieve.checksums import checked_checksum, has_checksum
from spinome.retrieve.limits import Allowance, DownloadError, TooLargeError
from spinome.retrieve.transfer import CODES, Answer, get, persist, without_password
from spinome.retrieve.watched import BrokenTransferError

# buckets that may be read but not listed answer 403 for what is not there
ABSENT = (CODES.not_found, CODES.forbidden)


def download(url: str, target: str | Path, checksum: str, allowance: Allowance | None = None) -> Path:
    """Fetch a file unless it is there already with the right checksum.

    What arrives waits under a hidden name beside the target that ends in `.part`, so that a broken download goes on
    where it broke, in this call or in a later one. It takes the name of the target once its checksum is right. The
    checksum is part of the hidden name, so that no download goes on with the beginning of another file.

    Parameters
    ----------
    url : http or https address
    target : where the file goes
    checksum : `sha256:...` or another algorithm of `spinome.retrieve.checksums`, in hexadecimal
    allowance : limits of the source that the file is of; by default a new one

    Raises
    ------
    DownloadError: if the address is out of reach, its file larger than is allowed or of another checksum; the message
        names the address, the file, what went wrong and how to put the file there by hand.
    ValueError: if the checksum is none.
    """
    allowance, target, checksum = allowance or Allowance(), Path(target), checked_checksum(checksum)
    if not (target.is_file() and has_checksum(target, checksum)):
        by_hand = f"Or put the file there by hand: {target.absolute()} ({checksum})"
        part = _unfinished(target, checksum)
        try:
            _complete(url, part, checksum, allowance)
        except DownloadError as error:
            kept = ""
            if part.exists():
                kept = f" {part.stat().st_size} bytes are kept in {part}, the next run goes on from there."
            raise type(error)(f"{error}.{kept} {by_hand}") from error
        part.replace(target)
    allowance.take(target.stat().st_size, without_password(url))
    return target


def fetch(
    url: str,
    start: int | None = None,
    stop: int | None = None,
    allowance: Allowance | None = None,
    most: int | None = None,
) -> bytes | None:
    """A small file, or bytes `start` to `stop` of a large one, in memory; None where the server has no such file.

    Parameters
    ----------
    allowance : limits of the source that the file is of; what is fetched is taken from it
    most : bytes that the file has at most

    Raises
    ------
    DownloadError: if the address is out of reach, or sends more or less than was asked for; the message says what to
        do.
    """
    allowance = allowance or Allowance(size="max_mesh_gb")
    return persist(lambda: _fetch_once(url, start or 0, stop, allowance, most), url, allowance)


def at_mirror(url: str, base_url: str | None) -> str:
    """Replace scheme and host of an address by those of a mirror, and put the mirror's path before its path."""
    if not base_url:
        return url
    mirror, parts = urlsplit(base_url), urlsplit(url)
    path = mirror.path.rstrip("/") + parts.path
    return urlunsplit((mirror.scheme, mirror.netloc, path, parts.query, ""))


def _unfinished(target: Path, checksum: str) -> Path:
    """The file of an unfinished download, whose folder is made; those of the target with other checksums go."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{hashlib.sha256(checksum.encode()).hexdigest()[:16]}.part")
    for other in target.parent.glob(f".{glob.escape(target.name)}.{'[0-9a-f]' * 16}.part"):
        if other != part:
            other.unlink()
    return part


def _complete(url: str, part: Path, checksum: str, allowance: Allowance) -> None:
    """Fetch what is lacking of a file; nothing is left of one that is too large or has another checksum."""
    # a beginning of an earlier run may be of a file that the source has replaced: then it is worth a second start
    starts = 2 if part.exists() else 1
    for _ in range(starts):
        try:
            persist(lambda: _continue(url, part, allowance), url, allowance)
        except TooLargeError:
            part.unlink(missing_ok=True)
            raise
        if has_checksum(part, checksum):
            return
        size = part.stat().st_size
        part.unlink()
    raise DownloadError(
        f"{without_password(url)}: what came is not the expected file, its {size} bytes have another checksum than "
        f"{checksum}. Run again, and if it stays so, ask the source whether the file was replaced"
    )


def _continue(url: str, part: Path, allowance: Allowance) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    with get(url, allowance, headers, (CODES.requested_range_not_satisfiable,) if have else ()) as answer:
        if answer.status == CODES.requested_range_not_satisfiable:
            return  # nothing is left to fetch; the checksum decides
        size = have if answer.status == CODES.partial_content else 0
        if not answer.starts_at(size):
            part.unlink(missing_ok=True)
            raise BrokenTransferError(f"sends {answer.headers.get('Content-Range')!r}, not the bytes from {size} on")
        if answer.length is not None and size + answer.length > allowance.left:
            allowance.refuse_size(without_password(url), size + answer.length)
        with part.open("ab" if size else "wb") as stream:
            for block in answer.blocks:
                size += len(block)
                if size > allowance.left:
                    allowance.refuse_size(without_password(url))
                stream.write(block)


def _fetch_once(url: str, start: int, stop: int | None, allowance: Allowance, most: int | None) -> bytes | None:
    shown, wanted = without_password(url), None if stop is None else stop - start
    if wanted == 0:
        return b""
    # a part of a compressed file cannot be unpacked
    headers = {"Accept-Encoding": "gzip"} if wanted is None else {"Range": f"bytes={start}-{stop - 1}"}
    with get(url, allowance, headers, ABSENT) as answer:
        if answer.status in ABSENT:
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
    skip = start if answer.status != CODES.partial_content else 0
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
