"""Downloads against a server on loopback: resumed where that is safe, checked, kept, and clear when they fail."""

import dataclasses
import hashlib

import pytest

from spinome.io.web.addresses import at_mirror
from spinome.io.web.limits import Allowance, DownloadError
from spinome.retrieve.download import download

CONTENT = bytes(range(256)) * 4000
CHECKSUM = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
CUT = 4 << 16


@pytest.fixture
def server(hostile):
    """Serves CONTENT and parts of it; breaks off after `CUT` bytes as often as told."""
    hostile.breaks, hostile.ignore_ranges, hostile.serves = 0, False, CONTENT

    def behave(request):
        if request.path == "/missing":
            return request.answer(status="404 Not Found")
        start = 0 if hostile.ignore_ranges else request.start
        if start >= len(hostile.serves):
            return request.answer(status="416 Range Not Satisfiable")
        body, stated = hostile.serves[start:], {}
        if start:
            stated = {"status": "206 Partial Content", "Content_Range": f"bytes {start}-{len(hostile.serves)}/*"}
        cut = None
        if hostile.breaks:
            hostile.breaks -= 1
            cut = CUT
        request.answer(body[:cut], length=len(body), **stated)

    hostile.behave = behave
    return hostile


def ranges(server):
    return [request.headers.get("range") for request in server.asked]


def parts(folder):
    return list(folder.glob(".*.part"))


def test_fetches_once_and_keeps(server, tmp_path):
    target = tmp_path / "deep" / "file.bin"
    for _ in range(2):
        assert download(f"{server.url}/file", target, CHECKSUM) == target
    assert target.read_bytes() == CONTENT
    assert ranges(server) == [None]
    assert list(target.parent.iterdir()) == [target]


def test_goes_on_where_it_broke(server, quick, tmp_path):
    server.breaks = 2
    limits = dataclasses.replace(quick, attempts=3)
    download(f"{server.url}/file", tmp_path / "file.bin", CHECKSUM, Allowance(limits))
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=262144-", "bytes=524288-"]


def test_goes_on_in_the_next_run(server, quick, tmp_path):
    server.breaks = 1
    with pytest.raises(DownloadError, match=r"262144 bytes are kept in .*\.file\.bin\.\w+\.part, the next run"):
        limits = dataclasses.replace(quick, attempts=1)
        download(f"{server.url}/file", tmp_path / "file.bin", CHECKSUM, Allowance(limits))
    download(f"{server.url}/file", tmp_path / "file.bin", CHECKSUM)
    assert ranges(server) == [None, "bytes=262144-"]
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


@pytest.fixture
def begun(server, quick, tmp_path):
    """The file that a download left unfinished."""
    server.breaks = 1
    with pytest.raises(DownloadError):
        limits = dataclasses.replace(quick, attempts=1)
        download(f"{server.url}/file", tmp_path / "file.bin", CHECKSUM, Allowance(limits))
    server.asked.clear()
    (part,) = parts(tmp_path)
    return part


def test_starts_again_at_a_server_that_cannot_resume(server, begun, tmp_path):
    server.ignore_ranges = True
    # such a server answers 200 with the whole file
    download(f"{server.url}/file", tmp_path / "file.bin", CHECKSUM)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_a_complete_part_is_taken(server, begun, tmp_path):
    begun.write_bytes(CONTENT)
    download(f"{server.url}/file", tmp_path / "file.bin", CHECKSUM)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [tmp_path / "file.bin"]


def test_a_beginning_of_another_file_is_thrown_away(server, begun, tmp_path):
    begun.write_bytes(b"x" * CUT)
    download(f"{server.url}/file", tmp_path / "file.bin", CHECKSUM)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert ranges(server) == ["bytes=262144-", None]


def test_another_part_than_was_asked_for_is_not_joined(server, begun, quick, tmp_path):
    def behave(request):
        if request.start:
            headers = {"status": "206 Partial Content", "Content_Range": "bytes 0-1023999/1024000"}
            return request.answer(CONTENT, **headers)
        request.answer(CONTENT)

    server.behave = behave
    download(f"{server.url}/file", tmp_path / "file.bin", CHECKSUM, Allowance(quick))
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert ranges(server) == ["bytes=262144-", None]


def test_a_beginning_is_of_one_checksum_alone(server, begun, tmp_path):
    server.serves = CONTENT[::-1]
    checksum = f"sha256:{hashlib.sha256(server.serves).hexdigest()}"
    download(f"{server.url}/file", tmp_path / "file.bin", checksum)
    assert ranges(server) == [None]
    assert list(tmp_path.iterdir()) == [tmp_path / "file.bin"]


def test_the_beginning_of_a_file_with_a_longer_name_stays(server, tmp_path):
    other = tmp_path / ".file.bin.zip.0123456789abcdef.part"
    other.write_bytes(b"x")
    download(f"{server.url}/file", tmp_path / "file.bin", CHECKSUM)
    assert other.exists()


def test_a_wrong_checksum_names_file_and_remedy_and_leaves_nothing(server, tmp_path):
    wrong = f"sha256:{'0' * 64}"
    with pytest.raises(DownloadError, match=r"not the expected file.*put the file there by hand: .*file\.bin"):
        download(f"{server.url}/file", tmp_path / "file.bin", wrong)
    assert not list(tmp_path.iterdir())


def test_a_file_of_another_checksum_is_replaced_when_the_right_one_is_there(server, tmp_path):
    target = tmp_path / "file.bin"
    target.write_bytes(b"earlier")
    with pytest.raises(DownloadError):
        download(f"{server.url}/file", target, f"sha256:{'0' * 64}")
    assert target.read_bytes() == b"earlier"
    download(f"{server.url}/file", target, CHECKSUM)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("checksum", ["", "md5:0", "sha256:" + "g" * 64, "crc32:00000000", "0" * 64])
def test_a_file_without_a_checksum_is_not_fetched(server, tmp_path, checksum):
    with pytest.raises(ValueError, match=r"is no checksum; write sha256: and 64.*`sha256sum FILE`"):
        download(f"{server.url}/file", tmp_path / "file.bin", checksum)
    assert not server.asked


def test_a_file_put_there_by_hand_is_taken(tmp_path):
    (tmp_path / "file.bin").write_bytes(CONTENT)
    download("http://127.0.0.1:9/file", tmp_path / "file.bin", CHECKSUM)


@pytest.mark.parametrize(
    ("address", "problem"),
    [("http://127.0.0.1:9/file", r"out of reach.*retrieve\.base_url"), ("{server}/missing", "answers 404")],
)
def test_out_of_reach_says_what_to_do(server, quick, tmp_path, address, problem):
    with pytest.raises(DownloadError, match=f"{problem}.*by hand") as caught:
        download(address.format(server=server.url), tmp_path / "file.bin", CHECKSUM, Allowance(quick))
    assert CHECKSUM in str(caught.value) and str(tmp_path / "file.bin") in str(caught.value)


def test_mirror_replaces_scheme_and_host():
    url = "https://example.org/api/records/1?x=2"
    assert at_mirror(url, "http://127.0.0.1:80/mirror/") == "http://127.0.0.1:80/mirror/api/records/1?x=2"
    assert at_mirror(url, None) == url
