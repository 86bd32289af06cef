"""Records of an archive: every file with its checksum into one folder, and no name that leads out of it."""

import dataclasses
import hashlib
import json

import pytest

from spinome.io.web.limits import Allowance, DownloadError
from spinome.retrieve.records import record_files, retrieve_record


def md5(content):
    return f"md5:{hashlib.md5(content).hexdigest()}"


@pytest.fixture
def archive(hostile):
    """A server with a record at `/record`, whose files a test gives as contents by name."""
    hostile.files, hostile.record = {}, None

    def entry(number, name, content):
        return {"key": name, "checksum": md5(content), "links": {"self": f"{hostile.url}/file/{number}"}}

    def behave(request):
        if request.path == "/record":
            entries = [entry(number, *item) for number, item in enumerate(hostile.files.items())]
            record = hostile.record if hostile.record is not None else {"files": entries}
            return request.answer(record if isinstance(record, bytes) else json.dumps(record).encode())
        content = list(hostile.files.values())[int(request.path.rpartition("/")[2])]
        request.answer(content[request.start :], status="206 Partial Content" if request.start else "200 OK")

    hostile.behave = behave
    return hostile


def one(archive, **change):
    """A record of one file, described otherwise than it should be."""
    entry = {"key": "a.csv", "checksum": md5(b"a"), "links": {"self": f"{archive.url}/file/0"}}
    archive.files = {"a.csv": b"a"}
    archive.record = {"files": [{key: value for key, value in {**entry, **change}.items() if value is not None}]}


def test_all_files_come_into_one_folder(archive, quick, tmp_path):
    archive.files = {"a.csv": b"one", "b c.zip": b"two", "sub/c.txt": b"three", "é.txt": b"four"}
    retrieve_record(f"{archive.url}/record", tmp_path / "x", allowance=Allowance(quick))
    found = {str(path.relative_to(tmp_path / "x")): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == archive.files
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]


def test_the_mirror_serves_record_and_files(archive, quick, tmp_path):
    one(archive, links={"self": "https://example.org/file/0"})
    url = "https://example.org/record"
    retrieve_record(url, tmp_path / "x", base_url=archive.url, allowance=Allowance(quick))
    assert (tmp_path / "x" / "a.csv").read_bytes() == b"a"


NAMES = [
    "../../x", "a/../../x", "/etc/x", "..\\..\\x", "C:\\x", "C:x", "", ".", "..", "a//b", "a/", "a\0b", "a\nb",
    "\x1b[2Ja", "x" * 300, "é" * 150, "/".join(["folder"] * 200), "\ud800", ".x.0123456789abcdef.part", None, 5,
    ["x"], {"a": 1},
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:30])
def test_no_name_leads_out_of_the_folder(archive, quick, tmp_path, name):
    one(archive, key=name if name is not None else ...)
    if name is None:
        del archive.record["files"][0]["key"]
    with pytest.raises(
        DownloadError, match=r"/record: cannot be taken as the description of a Zenodo record: .*name of a"
    ):
        retrieve_record(f"{archive.url}/record", tmp_path / "in" / "x", allowance=Allowance(quick))
    assert not list(tmp_path.iterdir()) and len(archive.asked) == 1


@pytest.mark.parametrize(
    ("one", "other"), [("A.csv", "a.csv"), ("a", "a"), ("a", "a/b"), ("a/b", "A"), ("é", "e\u0301")]
)
def test_two_names_of_one_file_are_refused(archive, quick, tmp_path, one, other):
    entries = [{"key": name, "checksum": md5(b""), "links": {"self": f"{archive.url}/0"}} for name in (one, other)]
    archive.record = {"files": entries}
    with pytest.raises(DownloadError, match="are one file, or a file and its folder, on some disks"):
        retrieve_record(f"{archive.url}/record", tmp_path / "x", allowance=Allowance(quick))


def test_a_link_that_leads_out_is_not_written_through(archive, quick, tmp_path):
    outside, waiting = tmp_path / "outside", tmp_path / "in" / ".x.part"
    outside.mkdir()
    waiting.mkdir(parents=True)
    (waiting / "sub").symlink_to(outside)
    archive.files = {"sub/a.csv": b"a"}
    with pytest.raises(DownloadError, match=r"sub/a\.csv: is a link that leads out of .*\.x\.part; remove it"):
        retrieve_record(f"{archive.url}/record", tmp_path / "in" / "x", allowance=Allowance(quick))
    assert not list(outside.iterdir())


@pytest.mark.parametrize("checksum", [None, "", "md5:", "md5:12", "crc32:1234", 5, {"md5": "x"}])
def test_a_checksum_is_required_and_the_message_says_where_it_goes(archive, quick, tmp_path, checksum):
    one(archive, checksum=checksum)
    url, allowance = f"{archive.url}/record", Allowance(quick)
    with pytest.raises(
        DownloadError, match=r"record: states no checksum for a\.csv.*retrieve\.records\.NAME\.checksums: "
    ):
        retrieve_record(url, tmp_path / "x", allowance=allowance)
    assert not list(tmp_path.iterdir())
    retrieve_record(url, tmp_path / "x", checksums={"a.csv": md5(b"a")}, allowance=allowance)
    assert (tmp_path / "x" / "a.csv").read_bytes() == b"a"


def test_the_checksum_of_the_configuration_counts(archive, quick, tmp_path):
    one(archive)
    with pytest.raises(DownloadError, match="another checksum than md5:0cc175b9c0f1b6a831c399e269772661"):
        one(archive, checksum=md5(b"b"))
        archive.files = {"a.csv": b"b"}
        url = f"{archive.url}/record"
        retrieve_record(url, tmp_path / "x", checksums={"a.csv": md5(b"a")}, allowance=Allowance(quick))
    with pytest.raises(
        DownloadError, match=r"gives a checksum for b\.csv, which the record does not have; it has a\.csv"
    ):
        record_files(f"{archive.url}/record", {"b.csv": md5(b"a")}, Allowance(quick))


def test_a_record_without_files(archive, quick, tmp_path):
    archive.record = {"files": []}
    with pytest.raises(DownloadError, match=r"/record: the record has no file.*take it out of retrieve\.records"):
        retrieve_record(f"{archive.url}/record", tmp_path / "x", allowance=Allowance(quick))


RECORDS = [
    b"", b"{", b"[]", b"5", b'"x"', b"null", b"{}", b'{"files": 5}', b'{"files": {"a": 1}}', b'{"files": [5]}', b"\xff",
    b"[" * 100_000, b'{"a":' * 100_000, b"1" * 10_000,
]  # fmt: skip


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: repr(record[:20]))
def test_something_else_is_no_record(archive, quick, record):
    archive.record = record
    with pytest.raises(DownloadError, match="/record: cannot be taken as the description of a Zenodo record"):
        record_files(f"{archive.url}/record", allowance=Allowance(quick))


@pytest.mark.parametrize("links", [None, {}, {"self": 5}, {"self": "file:///etc/passwd"}, {"self": "a.csv"}, "x"])
def test_a_file_without_an_address(archive, quick, links):
    one(archive, links=links)
    with pytest.raises(DownloadError, match=r"gives no address on the web for a\.csv"):
        record_files(f"{archive.url}/record", allowance=Allowance(quick))


def test_a_record_that_is_not_there(hostile, quick):
    hostile.behave = lambda request: request.answer(status="404 Not Found")
    with pytest.raises(DownloadError, match=r"/record: there is no such record.*check its number"):
        record_files(f"{hostile.url}/record", allowance=Allowance(quick))


def test_all_files_of_a_record_together_are_bounded(archive, quick, tmp_path):
    archive.files = {f"{number}": bytes(900_000) for number in range(3)}
    with pytest.raises(DownloadError, match=r"/file/2: is larger than 0\.002 GB"):
        retrieve_record(f"{archive.url}/record", tmp_path / "x", allowance=Allowance(quick))
    assert not (tmp_path / "x").exists()


def test_a_later_run_goes_on_and_no_file_of_an_earlier_record_stays(archive, quick, tmp_path):
    archive.files = {"a": b"one", "b": b"two"}
    waiting = tmp_path / ".x.part"
    (waiting / "old").mkdir(parents=True)
    (waiting / "b").mkdir()
    for name in ("a", "old/c", "b/c", ".gone.0123456789abcdef.part"):
        (waiting / name).write_bytes(b"one")
    (waiting / "link").symlink_to(tmp_path)
    retrieve_record(f"{archive.url}/record", tmp_path / "x", allowance=Allowance(quick))
    assert [request.path for request in archive.asked] == ["/record", "/file/1"]
    assert {path.name: path.read_bytes() for path in (tmp_path / "x").iterdir()} == archive.files
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]


def test_a_broken_download_of_a_record_goes_on_in_the_next_run(archive, quick, tmp_path):
    archive.files = {"a": bytes(range(256)) * 1000}
    whole, cut = archive.behave, 1 << 17

    def broken(request):
        if request.path == "/record":
            return whole(request)
        request.answer(archive.files["a"][:cut], length=len(archive.files["a"]))

    archive.behave = broken
    limits = dataclasses.replace(quick, attempts=1)
    with pytest.raises(DownloadError, match="131072 bytes are kept"):
        retrieve_record(f"{archive.url}/record", tmp_path / "x", allowance=Allowance(limits))
    archive.behave = whole
    retrieve_record(f"{archive.url}/record", tmp_path / "x", allowance=Allowance(limits))
    assert archive.asked[-1].start == cut
    assert (tmp_path / "x" / "a").read_bytes() == archive.files["a"]
