"""Meshes from a public address, against a server on loopback that serves a folder."""

import dataclasses
import functools
import gzip
import http.server
import json
import threading
import tracemalloc

import DracoPy
import numpy as np
import pytest
import tensorstore
import trimesh

from spinome.io.multilod_meshes import draco_counts
from spinome.io.sharded import find_value
from spinome.io.web.addresses import public_address
from spinome.io.web.limits import Allowance, DownloadError
from spinome.mesh.surface import Mesh
from spinome.mesh.welding import weld
from spinome.retrieve.mesh import retrieve_mesh

BITS, CHUNK = 16, np.array([4000.0, 4000.0, 4000.0])
ORIGIN, TRANSFORM = np.array([100.0, 200.0, 300.0]), [2.0, 0, 0, 5, 0, 2, 0, 6, 0, 0, 2, 7]
IDS = (7, 648518346349539862)


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves ranges of bytes, which the parent does not."""

    def do_GET(self):
        self.server.asked.append(self.path)
        path = self.translate_path(self.path)
        asked = self.headers.get("Range")
        if not asked or not self.server.ranges:
            return super().do_GET()
        start, stop = (int(value) for value in asked.removeprefix("bytes=").split("-"))
        try:
            with open(path, "rb") as stream:  # noqa: PTH123
                stream.seek(start)
                body = stream.read(stop + 1 - start)
        except FileNotFoundError:
            return self.send_error(404)
        self.send_response(206)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=tmp_path))
    server.asked, server.ranges = [], True
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def cells():
    """Two chunks side by side of a box with integer positions, in units of a chunk's quantisation: (points, faces)."""
    box = trimesh.creation.box().subdivide().subdivide()
    points = np.round((np.asarray(box.vertices) + 0.5) * (2**BITS - 1)).astype(np.uint32)
    return [(points, np.asarray(box.faces, np.uint32)), (np.roll(points, 1, axis=1), np.asarray(box.faces, np.uint32))]


def expected(cells):
    """The mesh of the two chunks by the definition of the format."""
    parts = [ORIGIN + CHUNK * (np.array([n, 0, 0]) + points / (2**BITS - 1)) for n, (points, _) in enumerate(cells)]
    return np.concatenate(parts) * 2 + [5, 6, 7], np.concatenate([cells[0][1], cells[1][1] + len(cells[0][0])])


def encoded(cells):
    """Manifest and fragments of two levels, the finest of two chunks and an empty one, the other of one."""
    fine = [DracoPy.encode(points, faces) for points, faces in cells]
    coarse = DracoPy.encode(*cells[0])
    sizes = [len(fine[0]), 0, len(fine[1])]
    parts = [CHUNK, ORIGIN]
    manifest = b"".join(np.asarray(part, "<f4").tobytes() for part in parts) + np.uint32(2).tobytes()
    manifest += np.array([1, 2], "<f4").tobytes() + np.zeros(6, "<f4").tobytes() + np.array([3, 1], "<u4").tobytes()
    manifest += np.array([[0, 5, 1], [0, 0, 0], [0, 0, 0]], "<u4").tobytes() + np.array(sizes, "<u4").tobytes()
    manifest += np.zeros(3, "<u4").tobytes() + np.uint32(len(coarse)).tobytes()
    return manifest, b"".join([*fine, coarse])


def write_info(folder, **more):
    folder.mkdir(parents=True, exist_ok=True)
    info = {"@type": "neuroglancer_multilod_draco", "vertex_quantization_bits": BITS, "transform": TRANSFORM, **more}
    (folder / "info").write_text(json.dumps(info))


def write_legacy(folder, suffix=""):
    folder.mkdir(parents=True)
    box = trimesh.creation.box(extents=(4000, 4000, 4000))
    for n in range(2):
        content = (
            np.uint32(len(box.vertices)).tobytes() + np.add(box.vertices, [4000 * n, 0, 0]).astype("<f4").tobytes()
        )
        content += box.faces.astype("<u4").tobytes()
        (folder / f"7:0:{n}{suffix}").write_bytes(gzip.compress(content) if suffix else content)
    (folder / "7:0").write_text(json.dumps({"fragments": ["7:0:0", "7:0:1"]}))


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_fragments_of_one_resolution_are_joined(server, tmp_path, suffix):
    (tmp_path / "seg").mkdir()
    (tmp_path / "seg" / "info").write_text(json.dumps({"scales": [], "mesh": "mesh"}))
    write_legacy(tmp_path / "seg" / "mesh", suffix)
    vertices, faces = retrieve_mesh(f"precomputed://{server.url}/seg/::7")
    assert len(vertices) == 16 and len(faces) == 24
    assert trimesh.Trimesh(vertices, faces).volume == pytest.approx(2 * 4000**3)


@pytest.mark.parametrize("ranges", [True, False])
def test_the_finest_of_several_resolutions(server, tmp_path, cells, ranges):
    server.ranges = ranges
    manifest, fragments = encoded(cells)
    write_info(tmp_path / "mesh")
    (tmp_path / "mesh" / "7.index").write_bytes(manifest)
    (tmp_path / "mesh" / "7").write_bytes(fragments)
    vertices, faces = retrieve_mesh(f"{server.url}/mesh::7")
    check(vertices, faces, cells)
    assert np.array_equal(retrieve_mesh(f"file://{tmp_path}/mesh::7")[0], vertices)
    welded = weld(Mesh(vertices, faces))[0]
    seam = np.isclose(expected(cells)[0][:, 0], (ORIGIN[0] + CHUNK[0]) * 2 + 5).sum() // 2
    assert len(welded.vertices) == len(vertices) - seam


def check(vertices, faces, cells):
    """Draco orders vertices, faces and their corners anew: the middles of the triangles and the volume are the same."""
    found, wanted = trimesh.Trimesh(vertices, faces, process=False), trimesh.Trimesh(*expected(cells), process=False)
    middles = [sorted(map(tuple, mesh.triangles_center.round(2))) for mesh in (found, wanted)]
    assert np.allclose(*middles)
    assert found.volume == pytest.approx(wanted.volume)


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
def test_sharded_meshes(server, tmp_path, cells, encoding):
    manifest, fragments = encoded(cells)
    content = gzip.compress(manifest) if encoding == "gzip" else manifest
    index = np.array([[7], [len(fragments)], [len(content)]], "<u8").tobytes()
    index = gzip.compress(index) if encoding == "gzip" else index
    start = len(fragments) + len(content)
    shard = np.array([start, start + len(index)], "<u8").tobytes() + fragments + content + index
    sharding = {
        "@type": "neuroglancer_uint64_sharded_v1", "hash": "identity", "preshift_bits": 0, "minishard_bits": 0,
        "shard_bits": 0, "minishard_index_encoding": encoding, "data_encoding": encoding,
    }  # fmt: skip
    write_info(tmp_path / "mesh", sharding=sharding)
    (tmp_path / "mesh" / "0.shard").write_bytes(shard)
    check(*retrieve_mesh(f"{server.url}/mesh::7"), cells)
    with pytest.raises(ValueError, match=r"mesh: has no mesh 8; check the id"):
        retrieve_mesh(f"{server.url}/mesh::8")


@pytest.mark.parametrize("hashed", ["identity", "murmurhash3_x86_128"])
@pytest.mark.parametrize("encoding", ["raw", "gzip"])
def test_values_are_found_in_shards_that_tensorstore_wrote(tmp_path, hashed, encoding):
    metadata = {
        "@type": "neuroglancer_uint64_sharded_v1", "hash": hashed, "preshift_bits": 1, "minishard_bits": 3,
        "shard_bits": 6, "minishard_index_encoding": encoding, "data_encoding": "raw",
    }  # fmt: skip
    spec = {"driver": "neuroglancer_uint64_sharded", "metadata": metadata, "base": f"file://{tmp_path}/"}
    store = tensorstore.KvStore.open(spec).result()
    keys = [*range(1, 40), *IDS, (1 << 63) + 5]
    for key in keys:
        store.write(key.to_bytes(8, "big"), f"value {key}".encode()).result()

    def read(name, start, stop):
        path = tmp_path / name
        return path.read_bytes()[start:stop] if path.exists() else None

    for key in keys:
        place = find_value(key, metadata, read)
        assert read(place.file, place.start, place.stop) == f"value {key}".encode()
    assert find_value(1234, metadata, read) is None


def test_addresses_of_public_buckets():
    assert public_address("precomputed://gs://bucket/a/b/") == "https://storage.googleapis.com/bucket/a/b"
    assert public_address("s3://bucket/a") == "https://bucket.s3.amazonaws.com/a"
    assert public_address("https://example.org/a") == "https://example.org/a"


def test_a_mirror_takes_the_place_of_the_host(server, tmp_path):
    write_legacy(tmp_path / "bucket" / "mesh")
    assert len(retrieve_mesh("gs://bucket/mesh::7", server.url)[0]) == 16


def test_what_is_absent_or_broken_is_named(server, quick, tmp_path, cells):
    with pytest.raises(ValueError, match=r"/nothing: has no mesh 7"):
        retrieve_mesh(f"{server.url}/nothing::7")
    with pytest.raises(DownloadError, match=r"info: out of reach .*retrieve\.base_url"):
        retrieve_mesh("http://127.0.0.1:9/mesh::7", allowance=Allowance(quick, "max_mesh_gb"))
    write_legacy(tmp_path / "mesh")
    (tmp_path / "mesh" / "7:0:1").unlink()
    with pytest.raises(ValueError, match=r"/mesh: 1 of 2 fragments of mesh 7 are absent, the first 7:0:1"):
        retrieve_mesh(f"{server.url}/mesh::7")
    (tmp_path / "mesh" / "7:0:1").write_bytes(b"\1\0\0")
    with pytest.raises(ValueError, match=r"7:0:1: is truncated"):
        retrieve_mesh(f"{server.url}/mesh::7")
    write_info(tmp_path / "graph", **{"@type": "graphene"})
    with pytest.raises(ValueError, match=r"meshes of the format graphene; neuroglancer_legacy_mesh and neuro"):
        retrieve_mesh(f"{server.url}/graph::7")
    write_info(tmp_path / "multi")
    manifest, _ = encoded(cells)
    (tmp_path / "multi" / "7.index").write_bytes(manifest)
    with pytest.raises(ValueError, match="no file of fragments"):
        retrieve_mesh(f"{server.url}/multi::7")
    (tmp_path / "multi" / "7").write_bytes(b"x" * 100_000)
    with pytest.raises(ValueError, match="a fragment is no Draco mesh that can be read"):
        retrieve_mesh(f"{server.url}/multi::7")
    (tmp_path / "multi" / "7.index").write_bytes(manifest[:40])
    with pytest.raises(ValueError, match="/multi: "):
        retrieve_mesh(f"{server.url}/multi::7")


BAD_NAMES = ["../7:0:0", "/etc/passwd", "a/../../x", "", ".", "..\\x", "C:\\x", "a\0", 5, None, ["x"], "x" * 300]


@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: repr(name)[:12])
@pytest.mark.parametrize("scheme", ["http", "file"])
def test_no_fragment_is_looked_for_outside(server, tmp_path, quick, name, scheme):
    write_legacy(tmp_path / "seg" / "mesh")
    (tmp_path / "seg" / "mesh" / "7:0").write_text(json.dumps({"fragments": ["7:0:0", name]}))
    place = server.url if scheme == "http" else f"file://{tmp_path}"
    with pytest.raises(ValueError, match=r"/seg/mesh: the manifest 7:0 cannot be used: .*name of a file"):
        retrieve_mesh(f"{place}/seg/mesh::7", allowance=Allowance(quick, "max_mesh_gb"))
    assert not any("passwd" in path or ".." in path for path in server.asked)


@pytest.mark.parametrize("name", ["..", "../other", "/other", "a//b", 5, ["x"], "https://example.org/x"])
def test_no_folder_of_meshes_is_looked_for_outside(server, tmp_path, quick, name):
    (tmp_path / "seg").mkdir()
    (tmp_path / "seg" / "info").write_text(json.dumps({"scales": [], "mesh": name}))
    with pytest.raises(ValueError, match=r"/seg/info: .*name of a file"):
        retrieve_mesh(f"{server.url}/seg::7", allowance=Allowance(quick, "max_mesh_gb"))
    assert server.asked == ["/seg/info"]


def test_a_name_is_no_address(server, tmp_path, quick):
    write_legacy(tmp_path / "mesh")
    names = ["7:0:0", "a%2e%2e#b?c d"]
    (tmp_path / "mesh" / "7:0").write_text(json.dumps({"fragments": names}))
    (tmp_path / "mesh" / names[1]).write_bytes((tmp_path / "mesh" / "7:0:1").read_bytes())
    assert len(retrieve_mesh(f"{server.url}/mesh::7")[0]) == 16
    assert len(retrieve_mesh(f"file://{tmp_path}/mesh::7")[0]) == 16


INFOS = [b"", b"{", b"[]", b"5", b"null", b"[" * 100_000, b'{"@type": 5}', b'{"@type": ["x"]}', b"\xff", b"1" * 10_000]


@pytest.mark.parametrize("info", INFOS, ids=lambda info: repr(info[:20]))
def test_an_info_of_nonsense_is_named(server, tmp_path, quick, info):
    (tmp_path / "mesh").mkdir()
    (tmp_path / "mesh" / "info").write_bytes(info)
    with pytest.raises(ValueError, match="/mesh"):
        retrieve_mesh(f"{server.url}/mesh::7", allowance=Allowance(quick, "max_mesh_gb"))


def test_a_fragment_is_named_as_often_as_the_bound_allows(server, tmp_path, quick):
    write_legacy(tmp_path / "mesh")
    (tmp_path / "mesh" / "7:0:0").write_bytes(bytes(100_000))
    (tmp_path / "mesh" / "7:0").write_text(json.dumps({"fragments": ["7:0:0"] * 5000}))
    limits = dataclasses.replace(quick, patience_s=10)
    with pytest.raises(DownloadError, match=r"is larger than 0\.002 GB.*retrieve\.limits\.max_mesh_gb"):
        retrieve_mesh(f"{server.url}/mesh::7", allowance=Allowance(limits, "max_mesh_gb"))
    assert len(server.asked) < 100


def test_a_fragment_that_unpacks_to_much_more(server, tmp_path, quick):
    write_legacy(tmp_path / "mesh", ".gz")
    (tmp_path / "mesh" / "7:0:1.gz").write_bytes(gzip.compress(bytes(1 << 26)))
    with pytest.raises(ValueError, match=r"/mesh: 7:0:1\.gz: unpacks to more than \d+ bytes"):
        retrieve_mesh(f"{server.url}/mesh::7", allowance=Allowance(quick, "max_mesh_gb"))
    (tmp_path / "mesh" / "7:0:1.gz").write_bytes(gzip.compress(bytes(1000))[:-9])
    with pytest.raises(ValueError, match=r"7:0:1\.gz: is no whole gzip file"):
        retrieve_mesh(f"{server.url}/mesh::7", allowance=Allowance(quick, "max_mesh_gb"))


def test_a_count_of_vertices_is_held_against_the_length(server, tmp_path, quick):
    write_legacy(tmp_path / "mesh")
    (tmp_path / "mesh" / "7:0:1").write_bytes(b"\xff" * 100)
    with pytest.raises(ValueError, match=r"7:0:1: is truncated.*100 bytes do not hold 4294967295 vertices"):
        retrieve_mesh(f"{server.url}/mesh::7", allowance=Allowance(quick, "max_mesh_gb"))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"vertex_quantization_bits": 10**9},
            "vertex_quantization_bits is 1000000000, not a whole number from 1 to 30",
        ),
        ({"vertex_quantization_bits": float("inf")}, "Infinity is no number in JSON"),
        ({"vertex_quantization_bits": "16"}, "vertex_quantization_bits is '16'"),
        ({"transform": [1, 2]}, "cannot reshape"),
        ({"transform": {"a": 1}}, "/mesh: "),
        ({"sharding": [1]}, "the description of its shards is no object"),
        ({"sharding": {"@type": "neuroglancer_uint64_sharded_v1", "hash": ["x"]}}, "/mesh: "),
    ],
)
def test_a_number_of_the_description_has_a_range(server, tmp_path, quick, cells, change, problem):
    write_info(tmp_path / "mesh", **change)
    (tmp_path / "mesh" / "7.index").write_bytes(encoded(cells)[0])
    with pytest.raises(ValueError, match=problem):
        retrieve_mesh(f"{server.url}/mesh::7", allowance=Allowance(quick, "max_mesh_gb"))


SHARDING = {
    "@type": "neuroglancer_uint64_sharded_v1", "hash": "identity", "preshift_bits": 0, "minishard_bits": 0,
    "shard_bits": 0, "minishard_index_encoding": "raw", "data_encoding": "raw",
}  # fmt: skip


@pytest.mark.parametrize(
    ("shard", "problem"),
    [
        ([0, 1 << 60], "the length of an index in 0.shard is 1152921504606846976"),
        ([1 << 40, 0], "the length of an index in 0.shard is -1099511627776"),
        ([1 << 60, (1 << 60) + 24], "0.shard|out of reach"),
        ([0, 25, 7, 0, 5], "an index has 25 bytes"),
        ([0, 24, 7, 0, 1 << 60], "the length of a manifest is 1152921504606846976"),
        ([0, 24, 7, 1 << 62, 5], "0.shard|out of reach"),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "file"])
def test_a_shard_names_no_bytes_that_cannot_be(server, tmp_path, quick, shard, problem, scheme):
    write_info(tmp_path / "mesh", sharding=SHARDING)
    (tmp_path / "mesh" / "0.shard").write_bytes(np.array(shard, "<u8").tobytes() + b"x" * 16)
    place = server.url if scheme == "http" else f"file://{tmp_path}"
    with pytest.raises((ValueError, DownloadError), match=problem):
        retrieve_mesh(f"{place}/mesh::7", allowance=Allowance(quick, "max_mesh_gb"))


@pytest.mark.parametrize("bits", ["preshift_bits", "minishard_bits", "shard_bits"])
def test_bits_of_a_hash_are_few(bits):
    with pytest.raises(ValueError, match=f"{bits} is 1000000000, not a whole number"):
        find_value(7, {**SHARDING, bits: 10**9}, lambda *_: None)


def test_an_id_has_64_bits():
    with pytest.raises(ValueError, match="the id is 18446744073709551616"):
        find_value(1 << 64, SHARDING, lambda *_: None)


def test_a_manifest_announces_no_more_than_there_is(server, tmp_path, quick, cells):
    write_info(tmp_path / "mesh")
    manifest, fragments = encoded(cells)
    (tmp_path / "mesh" / "7").write_bytes(fragments)
    lengths = 28 + 20 * 2 + 12 * 3
    for count, problem in ((0xFFFFFFFF, r"is larger than 0\.002 GB|sent"), (len(fragments), "sent .* bytes of|Draco")):
        changed = manifest[:lengths] + np.uint32(count).tobytes() + manifest[lengths + 4 :]
        (tmp_path / "mesh" / "7.index").write_bytes(changed)
        with pytest.raises((ValueError, DownloadError), match=problem):
            retrieve_mesh(f"{server.url}/mesh::7", allowance=Allowance(quick, "max_mesh_gb"))
    (tmp_path / "mesh" / "7.index").write_bytes(manifest[:24] + b"\xff" * 4 + manifest[28:])
    with pytest.raises(ValueError, match="/mesh: "):
        retrieve_mesh(f"{server.url}/mesh::7", allowance=Allowance(quick, "max_mesh_gb"))


def varint(value):
    digits = []
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])


@pytest.mark.parametrize("level", [0, 1, 5, 10])
def test_counts_are_read_from_the_header_of_draco(cells, level):
    # the first levels of compression are the sequential method, the others edgebreaker
    content = DracoPy.encode(*cells[0], compression_level=level)
    decoded = DracoPy.decode(content)
    assert draco_counts(content) == (len(decoded.points), len(decoded.faces))


@pytest.mark.parametrize("count", [10**6, 2**32 - 1])
def test_counts_that_ask_for_much_memory_are_refused(server, tmp_path, quick, cells, count):
    write_info(tmp_path / "mesh")
    head = DracoPy.encode(*cells[0])[:12]
    fragment = head + varint(count) + varint(count) + bytes(200)
    manifest, _ = encoded(cells)
    lengths = 28 + 20 * 2 + 12 * 3
    changed = manifest[:lengths] + np.array([len(fragment), 0, 0], "<u4").tobytes() + manifest[lengths + 12 :]
    (tmp_path / "mesh" / "7.index").write_bytes(changed)
    (tmp_path / "mesh" / "7").write_bytes(fragment)
    with pytest.raises(ValueError, match=f"it announces {count} vertices and {count} faces, more than 2000000 bytes"):
        retrieve_mesh(f"{server.url}/mesh::7", allowance=Allowance(quick, "max_mesh_gb"))


@pytest.mark.parametrize(
    "content", [b"", b"DRACO", b"DRACO\2\2\0\1\0\0" + bytes(20), b"DRACO\2\2\1\1\0\x80" + bytes(20)]
)
def test_something_else_than_a_draco_mesh(content):
    with pytest.raises(ValueError, match=r"does not begin as one|has metadata"):
        draco_counts(content)


def test_an_endless_info_takes_little_memory(hostile, quick):
    def behave(request):
        request.answer(length=False)
        request.for_ever(b"x" * (1 << 16))

    hostile.behave = behave
    tracemalloc.start()
    try:
        with pytest.raises(DownloadError, match=r"/mesh/info: is larger than 0\.002 GB.*retrieve\.limits\.max_mesh_gb"):
            retrieve_mesh(f"{hostile.url}/mesh::7", allowance=Allowance(quick, "max_mesh_gb"))
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_an_info_that_leads_to_itself(hostile, quick):
    hostile.behave = lambda request: request.answer(json.dumps({"scales": [], "mesh": "mesh"}).encode())
    with pytest.raises(ValueError, match=r"/seg/info: leads to another description more than 3 times"):
        retrieve_mesh(f"{hostile.url}/seg::7", allowance=Allowance(quick, "max_mesh_gb"))
    assert len(hostile.asked) == 4
