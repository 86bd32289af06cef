"""Records of Zenodo, and of other archives that run the same software: all of their files into one folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from spinome.io.untrusted import (
    DESCRIPTION_BYTES,
    UNFINISHED,
    checked_name,
    json_object,
    path_inside,
    require_distinct,
)
from spinome.io.web.addresses import at_mirror, without_password
from spinome.io.web.fetch import fetch
from spinome.io.web.limits import Allowance, DownloadError
from spinome.retrieve.checksums import checked_checksum
from spinome.retrieve.download import download


@dataclass(frozen=True)
class RecordFile:
    """A file of a record: its name, its address, its checksum."""

    name: str
    url: str
    checksum: str


def retrieve_record(
    url: str,
    folder: str | Path,
    base_url: str | None = None,
    checksums: Mapping[str, str] | None = None,
    allowance: Allowance | None = None,
) -> None:
    """Fetch every file of a record; the folder appears when all are there and right.

    Until then they wait in a hidden folder beside it that ends in `.part`, and a later call goes on with them.

    Parameters
    ----------
    url : `https://zenodo.org/api/records/<number>`
    folder : where the files go
    base_url : mirror that takes the place of scheme and host, of the record and of its files
    checksums : by the name of a file, in place of what the record states; needed where it states none
    allowance : limits of the record with all of its files

    Raises
    ------
    DownloadError: as `record_files` and `download`.
    """
    folder, allowance = Path(folder), allowance or Allowance()
    files = record_files(at_mirror(url, base_url), checksums, allowance)
    waiting = folder.with_name(f".{folder.name}.part")
    targets = {}
    for file in files:
        try:
            targets[path_inside(waiting, file.name)] = file
        except ValueError as error:
            raise DownloadError(f"{without_password(url)}: {error}") from error
    # what is there of an earlier version of the record, say, must neither be in the way nor come along
    _remove_others(waiting, targets, unfinished=False)
    for target, file in targets.items():
        download(at_mirror(file.url, base_url), target, file.checksum, allowance)
    _remove_others(waiting, targets, unfinished=True)
    if folder.exists():
        shutil.rmtree(folder)
    waiting.rename(folder)


def record_files(
    url: str, checksums: Mapping[str, str] | None = None, allowance: Allowance | None = None
) -> list[RecordFile]:
    """The files that a record lists.

    Raises
    ------
    DownloadError: if the record is out of reach, is none, or has no file; if a name leads out of its folder or stands
        for a file that another one stands for; if a file has no checksum. The message names the address and the remedy.
    """
    shown, given = without_password(url), dict(checksums or {})
    content = fetch(url, allowance=allowance, most=DESCRIPTION_BYTES)
    if content is None:
        raise DownloadError(f"{shown}: there is no such record, or it is not public; check its number")
    try:
        listed = json_object(content).get("files")
        if not isinstance(listed, list):
            raise ValueError("it lists no files")
        stated = [_entry(entry) for entry in listed]
        require_distinct(name for name, _, _ in stated)
    except ValueError as error:
        raise DownloadError(
            f"{shown}: cannot be taken as the description of a Zenodo record: {error}. Check the address, or name the "
            "files that you need under retrieve.files, each with its url and checksum"
        ) from error
    if not stated:
        raise DownloadError(
            f"{shown}: the record has no file, or none that is public. Check its number, or take it out of "
            "retrieve.records"
        )
    unknown = sorted(set(given) - {name for name, _, _ in stated})
    if unknown:
        raise DownloadError(
            f"{shown}: the configuration gives a checksum for {', '.join(unknown)}, which the record does not have; it "
            f"has {', '.join(name for name, _, _ in stated[:10])}"
        )
    return [
        RecordFile(name, address, _usable(given.get(name, checksum), name, shown)) for name, address, checksum in stated
    ]


def _remove_others(folder: Path, kept: Iterable[Path], unfinished: bool) -> None:
    """Remove all of a folder but some files, with the folders that are then empty, and unfinished downloads or not."""
    kept = set(kept)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in kept and (unfinished or not UNFINISHED.fullmatch(path.name)):
            path.unlink()


def _entry(entry: object) -> tuple[str, str, object]:
    """Name, address and checksum that a record states of a file; the checksum may be anything."""
    fields = entry if isinstance(entry, dict) else {}
    name, links = checked_name(fields.get("key")), fields.get("links")
    address = links.get("self") if isinstance(links, dict) else None
    if not isinstance(address, str) or urlsplit(address).scheme not in ("http", "https"):
        raise ValueError(f"it gives no address on the web for {name}")
    return name, address, fields.get("checksum")


def _usable(checksum: object, name: str, record: str) -> str:
    try:
        return checked_checksum(checksum if isinstance(checksum, str) else "")
    except ValueError:
        raise DownloadError(
            f"{record}: states no checksum for {name} that can be used ({ascii(checksum)[:80]}). Give it in the "
            f"configuration, retrieve.records.NAME.checksums: {{'{name}': 'sha256:...'}}, as `sha256sum` gives it for "
            "a copy that you trust"
        ) from None
