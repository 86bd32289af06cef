"""The address of a source archive comes from what pip says; a damaged archive is named."""

import hashlib
import subprocess
import tarfile

import pytest

from spinome.io.web.limits import Allowance, DownloadError
from spinome.retrieve import archives
from spinome.retrieve.archives import ARCHIVES, SourceArchive, find_address, index_address, read_member

SPINES = ARCHIVES["morph_spines_visualizer-0.3.0"]
PIP = """
  Link requires a different Python (3.11.7 not in: '>=3.12'): https://index.example/a/other-1.0.tar.gz
  Found link https://index.example/a/morph_spines_visualizer-0.2.0.tar.gz#sha256=1 (from https://index.example/s/), v
  Found link https://index.example/b/morph_spines_visualizer-0.3.0-py3-none-any.whl (from https://index.example/s/), v
  Found link https://index.example/c/morph_spines_visualizer-0.3.0.tar.gz#sha256=2 (from https://index.example/s/), v
"""


def test_finds_the_source_archive_of_the_version_alone():
    assert find_address(PIP, SPINES) == "https://index.example/c/morph_spines_visualizer-0.3.0.tar.gz"
    assert find_address(PIP, SourceArchive("morph-spines-visualizer", "0.4.0", "")) is None


def test_asks_the_pip_that_is_configured(tmp_path, monkeypatch):
    page = tmp_path / "simple" / "morph-spines-visualizer"
    page.mkdir(parents=True)
    (page / "index.html").write_text('<a href="morph_spines_visualizer-0.3.0.tar.gz">archive</a>')
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "simple").as_uri())
    assert index_address(SPINES) == f"{page.as_uri()}/morph_spines_visualizer-0.3.0.tar.gz"


def test_an_index_without_the_archive_says_so(monkeypatch):
    words = subprocess.CompletedProcess([], 1, "", "ERROR: No matching distribution found")
    monkeypatch.setattr(archives.subprocess, "run", lambda *_, **__: words)
    with pytest.raises(DownloadError, match=r"No matching distribution.*pip config list"):
        index_address(SPINES)


def test_how_to_do_it_by_hand_is_told(tmp_path, monkeypatch, quick):
    monkeypatch.setattr(archives, "index_address", lambda _: "http://127.0.0.1:9/a.tar.gz")
    with pytest.raises(DownloadError, match=r"pip download --no-deps --no-binary :all: meshparty==2\.0\.3"):
        archives.retrieve_archive("meshparty-2.0.3", tmp_path / "meshparty-2.0.3.tar.gz", Allowance(quick))


def test_an_archive_that_is_not_known_is_named(tmp_path):
    with pytest.raises(
        ValueError, match=r"other-1\.0\.tar\.gz: is no source archive that is known here; known are mesh"
    ):
        archives.retrieve_archive("other-1.0", tmp_path / "other-1.0.tar.gz")


def test_a_pip_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(archives, "PIP_SECONDS", 0.01)
    with pytest.raises(DownloadError, match=r"pip has not answered for 0\.01 s.*pip config list"):
        index_address(SPINES)


def test_a_damaged_archive_is_named(tmp_path):
    archive = tmp_path / "meshparty-2.0.3.tar.gz"
    archive.write_bytes(b"half of it")
    with pytest.raises(ValueError, match=r"meshparty-2\.0\.3\.tar\.gz: is not the released archive.*delete it"):
        read_member(archive, "anything")


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """An archive with a file, a link that leads out of it and a folder."""
    path = tmp_path / "small-1.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        (tmp_path / "file").write_bytes(b"content")
        tar.add(tmp_path / "file", "small-1/file")
        link, folder = tarfile.TarInfo("small-1/link"), tarfile.TarInfo("small-1/folder")
        link.type, link.linkname, folder.type = tarfile.SYMTYPE, "/etc/passwd", tarfile.DIRTYPE
        tar.addfile(link)
        tar.addfile(folder)
    checksum = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    monkeypatch.setitem(ARCHIVES, "small-1", SourceArchive("small", "1", checksum))
    return path


def test_a_file_of_an_archive_is_read(archive):
    assert read_member(archive, "small-1/file").read() == b"content"


@pytest.mark.parametrize(
    ("member", "problem"),
    [
        ("small-1/link", "is a folder or a link"),
        ("small-1/folder", "is a folder or a link"),
        ("small-1/absent", r"small-1\.tar\.gz: has no file small-1/absent"),
        ("../file", "cannot be taken as the name of a file"),
    ],
)
def test_what_is_no_file_of_an_archive_is_named(archive, member, problem):
    with pytest.raises(ValueError, match=problem):
        read_member(archive, member)
