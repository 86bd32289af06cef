"""Volumes at an address: what is read is what the folder holds, and no server can send too much or for too long."""

import functools
import gzip
import http.server
import json
import threading

import numpy as np
import pytest
import tensorstore

from spinome.io.public_volumes import open_public_volume
from spinome.io.volumes import fingerprint, open_labels, open_volume
from spinome.io.web.limits import VARIABLE, DownloadError

OFFSET = [10, 20, 30]
SHARDING = {
    "@type": "neuroglancer_uint64_sharded_v1", "hash": "murmurhash3_x86_128", "preshift_bits": 1, "minishard_bits": 2,
    "shard_bits": 1, "minishard_index_encoding": "gzip", "data_encoding": "gzip",
}  # fmt: skip


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves ranges of bytes, which the parent does not."""

    def do_GET(self):
        asked = self.headers.get("Range")
        if not asked:
            return super().do_GET()
        start, stop = (int(value) for value in asked.removeprefix("bytes=").split("-"))
        try:
            with open(self.translate_path(self.path), "rb") as stream:  # noqa: PTH123
                stream.seek(start)
                body = stream.read(stop + 1 - start)
        except FileNotFoundError:
            return self.send_error(404)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{start + len(body) - 1}/*")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 64


@pytest.fixture
def server(tmp_path):
    """The address of a server of the test's folder."""
    with Server(("127.0.0.1", 0), functools.partial(Handler, directory=tmp_path)) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def limits(monkeypatch):
    """Limits as the workflow hands them to a job."""
    monkeypatch.setenv(VARIABLE, json.dumps({"patience_s": 1, "attempts": 2, "min_kb_per_s": 50, "max_depth": 3}))


def write(folder, encoding="raw", sharding=None, dtype="uint16"):
    """A volume of (50, 40, 30) voxels in chunks of (16, 16, 16), one of which is not written; its values (x, y, z)."""
    labels = encoding == "compressed_segmentation"
    scale = {
        "size": [50, 40, 30], "resolution": [8, 8, 40], "voxel_offset": OFFSET, "chunk_size": [16, 16, 16],
        "encoding": encoding, **({"sharding": sharding} if sharding else {}),
        **({"compressed_segmentation_block_size": [8, 8, 8]} if labels else {}),
    }  # fmt: skip
    store = tensorstore.open(
        {
            "driver": "neuroglancer_precomputed",
            "kvstore": {"driver": "file", "path": f"{folder}/"},
            "multiscale_metadata": {
                "type": "segmentation" if labels else "image", "data_type": dtype, "num_channels": 1,
            },
            "scale_metadata": scale,
        },
        create=True,
    ).result()  # fmt: skip
    values = np.random.default_rng(1).integers(1, 200, (50, 40, 30)).astype(dtype)
    values[16:32, 16:32, 0:16] = 0
    txn = tensorstore.Transaction()
    store.with_transaction(txn)[..., 0] = values
    txn.commit_async().result()
    return values


@pytest.mark.parametrize("sharding", [None, SHARDING, {**SHARDING, "hash": "identity", "data_encoding": "raw"}])
@pytest.mark.parametrize(
    ("encoding", "dtype"), [("raw", "uint16"), ("compressed_segmentation", "uint64"), ("png", "uint8")]
)
def test_voxels_are_those_of_the_folder(server, tmp_path, encoding, dtype, sharding):
    values = write(tmp_path / "volume", encoding, sharding, dtype).transpose(2, 1, 0)
    volume = open_volume(f"precomputed://{server}/volume/")
    assert volume.shape == (30, 40, 50) and volume.dtype == dtype and volume.voxel_nm == (40, 8, 8)
    assert np.array_equal(volume[:], values)
    assert np.array_equal(volume[3:20, 15:33, 1:2], values[3:20, 15:33, 1:2])
    assert np.array_equal(volume[5], values[5])
    assert fingerprint(f"{server}/volume") == fingerprint(f"{server}/volume")


def test_the_scale_is_chosen_by_its_key(server, tmp_path):
    write(tmp_path / "volume")
    info = json.loads((tmp_path / "volume" / "info").read_text())
    key = info["scales"][0]["key"]
    assert open_labels(f"{server}/volume::{key}").shape == (30, 40, 50)
    with pytest.raises(ValueError, match=f"/volume: .*has no scale 'x'; it has {key}"):
        open_volume(f"{server}/volume::x")


def test_a_chunk_that_is_refused_is_not_an_empty_one(hostile, limits, tmp_path):
    write(tmp_path / "volume")

    def behave(request):
        if request.path.endswith("info"):
            return request.answer((tmp_path / "volume" / "info").read_bytes())
        request.answer(status="403 Forbidden")

    hostile.behave = behave
    with pytest.raises(DownloadError, match="answers 403 Forbidden"):
        open_volume(f"{hostile.url}/volume")[:4, :4, :4]


@pytest.fixture
def volume(hostile, limits, tmp_path):
    """A volume whose chunks come as a test says."""
    write(tmp_path / "volume")
    info = (tmp_path / "volume" / "info").read_bytes()

    def opened(behave):
        hostile.behave = lambda request: request.answer(info) if request.path.endswith("info") else behave(request)
        return open_volume(f"{hostile.url}/volume")

    return opened


def test_an_endless_chunk_is_cut(volume):
    def behave(request):
        request.answer(length=False)
        request.for_ever(b"x" * 65536)

    with pytest.raises(DownloadError, match=r"_8_40/10-26_20-36_30-46: is longer than \d+ bytes"):
        volume(behave)[:4, :4, :4]


def test_a_chunk_byte_by_byte_is_too_slow(volume):
    def behave(request):
        request.answer(length=8192)
        request.for_ever(b"x", pause=0.02)

    with pytest.raises(DownloadError, match=r"out of reach after 2 attempts.*min_kb_per_s"):
        volume(behave)[:4, :4, :4]


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 9000])
def test_a_chunk_of_another_length_is_damaged(volume, content):
    with pytest.raises(ValueError, match=r"the chunk 10-26_20-36_30-46 is damaged"):
        volume(lambda request: request.answer(content))[:4, :4, :4]


def test_a_chunk_that_unpacks_to_much_more(volume):
    bomb = gzip.compress(bytes(1 << 26))
    with pytest.raises(DownloadError, match=r"unpacks to more than \d+ bytes"):
        volume(lambda request: request.answer(bomb, Content_Encoding="gzip"))[:4, :4, :4]


SCALE = {
    "key": "a", "size": [50, 40, 30], "resolution": [8, 8, 40], "chunk_sizes": [[16, 16, 16]], "encoding": "raw",
    "voxel_offset": [0, 0, 0],
}  # fmt: skip
INFO = {"@type": "neuroglancer_multiscale_volume", "type": "image", "data_type": "uint8", "num_channels": 1}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"size": [1 << 50, 1, 1]}, "size is 1125899906842624"),
        ({"size": [0, 1, 1]}, "size is 0"),
        ({"size": 5}, "size is no list of three numbers"),
        ({"size": ["x", 1, 1]}, "size is 'x'"),
        ({"chunk_sizes": []}, "has no chunk_sizes"),
        (
            {"chunk_sizes": [[1 << 30] * 3], "size": [1 << 30] * 3},
            "each of its chunks has 12379400392853802748",
        ),
        ({"resolution": [8, 8, float("inf")]}, "Infinity is no number in JSON"),
        ({"resolution": [8, 8, 1e300]}, "resolution has 1e"),
        ({"resolution": [8, 8, 0]}, "resolution has 0"),
        ({"key": "../../other"}, "cannot be taken as the name of a file"),
        ({"key": 5}, "is no name of a file"),
        ({"key": None}, "is no name of a file"),
        ({"encoding": "nonsense"}, "its `info` describes nothing that can be read"),
        ({"sharding": [1]}, "the description of its shards is no object"),
    ],
)
def test_a_description_that_cannot_be(hostile, limits, change, problem):
    info = {**INFO, "scales": [{**SCALE, **change}]}
    hostile.behave = lambda request: request.answer(json.dumps(info).encode())
    with pytest.raises(ValueError, match=problem):
        open_volume(f"{hostile.url}/volume")
    assert len(hostile.asked) == 1


@pytest.mark.parametrize(
    "change", [{"data_type": "json"}, {"data_type": 5}, {"num_channels": 0}, {"num_channels": 1e9}]
)
def test_voxels_that_cannot_be(hostile, limits, change):
    hostile.behave = lambda request: request.answer(json.dumps({**INFO, **change, "scales": [SCALE]}).encode())
    with pytest.raises(ValueError, match="not a readable Neuroglancer precomputed volume"):
        open_volume(f"{hostile.url}/volume")


INFOS = [b"", b"[]", b"{}", b'{"scales": []}', b'{"scales": [5]}', b'{"scales": {}}', b"[" * 100_000, b"\xff"]


@pytest.mark.parametrize("info", INFOS, ids=lambda info: repr(info[:20]))
def test_something_else_than_an_info(hostile, limits, info):
    hostile.behave = lambda request: request.answer(info)
    with pytest.raises(ValueError, match="/volume: is not a readable Neuroglancer precomputed volume"):
        open_volume(f"{hostile.url}/volume")


def test_an_info_that_is_not_there(hostile, limits):
    hostile.behave = lambda request: request.answer(status="404 Not Found")
    with pytest.raises(ValueError, match="has no `info`; is it the address of a volume"):
        open_public_volume(f"{hostile.url}/volume")
