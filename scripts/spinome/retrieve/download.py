"""Files by address: checked against a checksum, kept once they are there, resumed after a break, bounded in size."""

from __future__ import annotations

import glob
import hashlib
from http import HTTPStatus
from pathlib import Path

from spinome.io.web.addresses import without_password
from spinome.io.web.limits import Allowance, DownloadError, TooLargeError
from spinome.io.web.transfer import get, persist
from spinome.io.web.watched import BrokenTransferError
from spinome.retrieve.checksums import checked_checksum, has_checksum


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
            size, kept = part.stat().st_size if part.exists() else 0, ""
            if size:
                kept = f" {size} bytes are kept in {part}, the next run goes on from there."
            else:
                part.unlink(missing_ok=True)
            raise type(error)(f"{error}.{kept} {by_hand}") from error
        part.replace(target)
    allowance.take(target.stat().st_size, without_password(url))
    return target


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
    with get(url, allowance, headers, (HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,) if have else ()) as answer:
        if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is left to fetch; the checksum decides
        size = have if answer.status == HTTPStatus.PARTIAL_CONTENT else 0
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
