"""Downloads against a server on loopback: resumed, checked, kept, and clear when they fail."""

import hashlib
import http.server
import json
import threading

import pytest

from spinome.retrieve.download import DownloadError, at_mirror, download, record_files

CONTENT = bytes(range(256)) * 4000
CHECKSUM = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT; notes the ranges asked for; breaks off after `cut` bytes as often as told."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges, self.breaks, self.cut, self.ignore_ranges = [], 0, 4 << 16, False

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/missing":
            return self.send_error(404)
        if self.path == "/record":
            return self._send(200, self.server.record)
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and not self.server.ignore_ranges else 0
        if start >= len(CONTENT):
            return self.send_error(416)
        body = CONTENT[start:]
        if self.server.breaks:
            self.server.breaks -= 1
            return self._send(206 if start else 200, body, sent=self.server.cut)
        return self._send(206 if start else 200, body)

    def _send(self, status, body, sent=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:sent])
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_fetches_once_and_keeps(server, tmp_path):
    target = tmp_path / "deep" / "file.bin"
    for _ in range(2):
        assert download(f"{server.url}/file", target, CHECKSUM) == target
    assert target.read_bytes() == CONTENT
    assert server.ranges == [None]
    assert list(target.parent.iterdir()) == [target]


def test_goes_on_where_it_broke(server, tmp_path):
    server.breaks = 2
    download(f"{server.url}/file", tmp_path / "file.bin", CHECKSUM)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=262144-", "bytes=524288-"]


def test_goes_on_in_the_next_run(server, tmp_path):
    server.breaks = 1
    with pytest.raises(DownloadError, match=r"262144 bytes are kept in .*file\.bin\.part"):
        download(f"{server.url}/file", tmp_path / "file.bin", CHECKSUM, attempts=1)
    download(f"{server.url}/file", tmp_path / "file.bin", CHECKSUM)
    assert server.ranges == [None, "bytes=262144-"]
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_starts_again_at_a_server_that_cannot_resume(server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(b"stale")
    server.ignore_ranges = True
    server.breaks = 0
    # such a server answers 200 with the whole file
    download(f"{server.url}/file", tmp_path / "file.bin", CHECKSUM)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_a_complete_part_is_taken(server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(CONTENT)
    download(f"{server.url}/file", tmp_path / "file.bin", CHECKSUM)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_a_wrong_checksum_names_file_and_remedy_and_leaves_nothing(server, tmp_path):
    wrong = f"sha256:{'0' * 64}"
    with pytest.raises(DownloadError, match=r"not the expected file.*put the file there by hand: .*file\.bin"):
        download(f"{server.url}/file", tmp_path / "file.bin", wrong)
    assert not list(tmp_path.iterdir())


def test_a_file_put_there_by_hand_is_taken(tmp_path):
    (tmp_path / "file.bin").write_bytes(CONTENT)
    download("http://127.0.0.1:9/file", tmp_path / "file.bin", CHECKSUM)


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/file", "{server}/missing"])
def test_out_of_reach_says_what_to_do(server, tmp_path, address):
    with pytest.raises(DownloadError, match=r"out of reach.*retrieve\.base_url.*by hand") as caught:
        download(address.format(server=server.url), tmp_path / "file.bin", CHECKSUM)
    assert CHECKSUM in str(caught.value) and str(tmp_path / "file.bin") in str(caught.value)


def test_mirror_replaces_scheme_and_host():
    url = "https://example.org/api/records/1?x=2"
    assert at_mirror(url, "http://127.0.0.1:80/mirror/") == "http://127.0.0.1:80/mirror/api/records/1?x=2"
    assert at_mirror(url, None) == url


def test_record_names_its_files_and_checksums(server):
    files = [{"key": "a.zip", "links": {"self": "https://example.org/a.zip"}, "checksum": "md5:0"}]
    server.record = json.dumps({"files": files}).encode()
    assert record_files(f"{server.url}/record") == [("a.zip", "https://example.org/a.zip", "md5:0")]


def test_something_else_is_no_record(server):
    server.record = b"{}"
    with pytest.raises(DownloadError, match="not the description of a Zenodo record"):
        record_files(f"{server.url}/record")
