"""Files by address: checked against a checksum, kept once they are there, resumed after a break."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pooch
import requests

# what arrived of a broken download is kept but for less than this
CHUNK_BYTES = 1 << 16
TIMEOUT_S = 60


class DownloadError(RuntimeError):
    """A source is out of reach or sent something else; the message says what to do."""


def download(url: str, target: str | Path, checksum: str, attempts: int = 4) -> Path:
    """Fetch a file unless it is there already with the right checksum.

    What arrives is kept in `<target>.part`, so that a broken download goes on where it broke, in this call or
    in a later one.

    Parameters
    ----------
    url : http or https address
    target : where the file goes
    checksum : `sha256:...` or another algorithm of hashlib, in hexadecimal
    attempts : connections before giving up

    Raises
    ------
    DownloadError: if the address is out of reach or its content has another checksum; the message names the
        address, the file, what went wrong and how to put the file there by hand.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    by_hand = f"or put the file there by hand: {target.absolute()} ({checksum})"
    try:
        return Path(
            pooch.retrieve(
                url, checksum, fname=target.name, path=target.parent, downloader=_resuming_downloader(part, attempts)
            )
        )
    except requests.RequestException as error:
        kept = ""
        if part.exists():
            kept = f"; {part.stat().st_size} bytes are kept in {part} and the next run goes on from there"
        raise DownloadError(
            f"{url}: out of reach ({error}){kept}. "
            f"Check the network and the proxy, set retrieve.base_url to a mirror, {by_hand}"
        ) from error
    except ValueError as error:
        raise DownloadError(
            f"{url}: what came is not the expected file ({error}). Run again, and if it stays so, ask the source "
            f"whether the file was replaced, {by_hand}"
        ) from error


def fetch(url: str, start: int | None = None, stop: int | None = None, attempts: int = 4) -> bytes | None:
    """A small file, or bytes `start` to `stop` of a large one, in memory; None where the server has no such file.

    Raises
    ------
    DownloadError: if the address is out of reach or sent less than was asked for; the message says what to do.
    """
    headers = {} if stop is None else {"Range": f"bytes={start or 0}-{stop - 1}"}
    for attempt in range(1, attempts + 1):
        try:
            response = requests.get(url, headers=headers, timeout=TIMEOUT_S)
            # buckets that may be read but not listed answer 403 for what is not there
            if response.status_code in (requests.codes.not_found, requests.codes.forbidden):
                return None
            response.raise_for_status()
            break
        except requests.RequestException as error:
            if attempt == attempts:
                raise DownloadError(
                    f"{url}: out of reach ({error}). "
                    "Check the network and the proxy, or set retrieve.base_url to a mirror"
                ) from error
    content = response.content
    if stop is None:
        return content
    if response.status_code != requests.codes.partial_content:
        content = content[start or 0 : stop]
    wanted = stop - (start or 0)
    if len(content) != wanted:
        raise DownloadError(f"{url}: sent {len(content)} bytes of {wanted} from {start or 0} on; run again")
    return content


def at_mirror(url: str, base_url: str | None) -> str:
    """Replace scheme and host of an address by those of a mirror, and put the mirror's path before its path."""
    if not base_url:
        return url
    mirror, parts = urlsplit(base_url), urlsplit(url)
    path = mirror.path.rstrip("/") + parts.path
    return urlunsplit((mirror.scheme, mirror.netloc, path, parts.query, ""))


def record_files(url: str) -> list[tuple[str, str, str]]:
    """Name, address and checksum of every file of a Zenodo record, from `https://zenodo.org/api/records/<number>`.

    Raises
    ------
    DownloadError: if the record is out of reach or is no record; the message names the address.
    """
    try:
        response = requests.get(url, timeout=TIMEOUT_S)
        response.raise_for_status()
        return [(file["key"], file["links"]["self"], file["checksum"]) for file in response.json()["files"]]
    except requests.RequestException as error:
        raise DownloadError(
            f"{url}: out of reach ({error}). Check the network and the proxy, or set retrieve.base_url to a mirror"
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise DownloadError(f"{url}: is not the description of a Zenodo record (lacks {error})") from error


def _resuming_downloader(part: Path, attempts: int) -> Callable[..., None]:
    def fetch(url: str, output_file: str, _: pooch.Pooch) -> None:
        for attempt in range(1, attempts + 1):
            try:
                _continue(url, part)
                break
            except requests.HTTPError:
                raise
            except requests.RequestException as error:
                print(f"{url}: attempt {attempt} of {attempts} broke off: {error}", flush=True)
                if attempt == attempts:
                    raise
        shutil.move(part, output_file)

    return fetch


def _continue(url: str, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
        if have and response.status_code == requests.codes.requested_range_not_satisfiable:
            return  # nothing is left to fetch; the checksum decides
        response.raise_for_status()
        resumed = response.status_code == requests.codes.partial_content
        with part.open("ab" if resumed else "wb") as stream:
            for block in response.iter_content(CHUNK_BYTES):
                stream.write(block)
