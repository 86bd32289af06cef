"""Volumes and meshes in a bucket of S3-compatible storage, from a real server of such storage on loopback."""

import json
import urllib.parse
import urllib.request

import numpy as np
import pytest
import tensorstore
import trimesh

from spinome.io.volumes import open_volume
from spinome.retrieve.mesh import retrieve_mesh

moto = pytest.importorskip("moto.server", reason="needs the packages moto and flask")


@pytest.fixture(scope="module")
def storage():
    """The address of a bucket that all may read, and a function that puts files into it."""
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}/tissue"

    def put(name, content=b""):
        place = "/".join([address, *map(urllib.parse.quote, filter(None, name.split("/")))])
        headers = {"x-amz-acl": "public-read", "Content-Type": "application/octet-stream"}
        urllib.request.urlopen(urllib.request.Request(place, content, headers, method="PUT"), timeout=20).close()

    put("")
    yield address, put
    server.stop()


def test_a_volume(storage, tmp_path):
    address, put = storage
    values = np.random.default_rng(0).integers(1, 255, (40, 50, 60), np.uint8)
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "file", "path": f"{tmp_path}/"},
        "multiscale_metadata": {"type": "image", "data_type": "uint8", "num_channels": 1},
        "scale_metadata": {
            "size": [60, 50, 40],
            "resolution": [8, 8, 40],
            "encoding": "raw",
            "chunk_size": [32, 32, 16],
        },
    }
    tensorstore.open(spec, create=True).result()[..., 0].write(values.T).result()
    for file in filter(lambda path: path.is_file(), tmp_path.rglob("*")):
        put(f"grey/{file.relative_to(tmp_path)}", file.read_bytes())
    volume = open_volume(f"precomputed://{address}/grey")
    assert volume.shape == values.shape and volume.voxel_nm == (40.0, 8.0, 8.0)
    np.testing.assert_array_equal(volume[3:35, 10:50, 20:60], values[3:35, 10:50, 20:60])
    with pytest.raises(ValueError, match="has no `info`"):
        open_volume(f"precomputed://{address}/absent")


def test_a_mesh(storage):
    address, put = storage
    box = trimesh.creation.box(extents=(4000, 4000, 4000))
    content = np.uint32(len(box.vertices)).tobytes() + box.vertices.astype("<f4").tobytes()
    put("meshes/info", b'{"@type": "neuroglancer_legacy_mesh"}')
    put("meshes/7:0", json.dumps({"fragments": ["7:0:0"]}).encode())
    put("meshes/7:0:0", content + box.faces.astype("<u4").tobytes())
    vertices, faces = retrieve_mesh(f"{address}/meshes::7")
    np.testing.assert_array_equal(vertices, box.vertices)
    np.testing.assert_array_equal(faces, box.faces)
    # an address of a bucket, and `retrieve.base_url` for the storage that holds it
    mirror = address.removesuffix("/tissue")
    assert len(retrieve_mesh("s3://tissue/meshes::7", f"{mirror}/tissue")[0]) == 8
    with pytest.raises(ValueError, match="8"):
        retrieve_mesh(f"{address}/meshes::8")
