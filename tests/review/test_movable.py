"""Movable views: who can see them, and what they are given."""

import json
import urllib.error
import urllib.request

import numpy as np
import pytest

from spinome.review.scenes import block_of, surface_around

neuroglancer = pytest.importorskip("neuroglancer", reason="needs the package neuroglancer")

from spinome.io.volumes import Volume  # noqa: E402
from spinome.review import movable  # noqa: E402

VOXEL = (40.0, 8.0, 8.0)


@pytest.fixture(scope="module")
def windows():
    yield movable.Windows()
    neuroglancer.stop()


@pytest.fixture
def block():
    labels = np.zeros((10, 40, 50), np.int64)
    labels[4:6, 10:20, 10:20], labels[:, 30:] = 2**60, 5
    place = np.array([5 * 0.04, 15 * 0.008, 15 * 0.008])
    return block_of(None, Volume(labels, VOXEL, "v"), VOXEL, 0.5, place, 0.4, [5, 2**60], ["#E69F00", "#FFFFFF"])


def test_only_who_knows_the_address_sees_a_view_and_on_this_machine_alone(windows, block):
    address = windows.show("a", block)
    assert address.startswith("http://127.0.0.1:") and address.startswith(windows.origin)
    token = address.rstrip("/").rpartition("/")[2]
    assert len(token) >= 32
    with urllib.request.urlopen(address, timeout=30) as reply:
        assert b"neuroglancer" in reply.read()
    for path in (f"v/{'0' * len(token)}/", "neuroglancer/info/a.b", f"neuroglancer/info/{token}.b"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{windows.origin}/{path}", timeout=30)


def test_each_window_has_one_view_and_old_ones_go(windows, block):
    first = windows.show("w0", block)
    assert windows.show("w0", block) == first and windows.show("w1", block) != first
    for number in range(2, movable.WINDOWS + 2):
        windows.show(f"w{number}", block)
    assert windows.show("w0", block) != first


def test_a_view_has_the_objects_in_their_colours(block):
    state = json.loads(json.dumps(movable._state(block).to_json(), default=str))
    layer = next(one for one in state["layers"] if one["name"] == "objects")
    assert layer["segments"] == ["1", "2"] and layer["segmentColors"] == {"1": "#E69F00", "2": "#FFFFFF"}
    assert state["position"] == pytest.approx([15, 15, 5])


def test_a_mesh_is_sent_where_it_is(sphere):
    vertices = sphere.vertices + np.array([40_000, 7_000.5, -3_000])
    mesh = movable._Mesh(surface_around(vertices, sphere.faces, vertices[5][::-1], lambda: (vertices, sphere.faces)))
    sent = mesh.get_object_mesh(1)
    count = int(np.frombuffer(sent, "<u4", 1)[0])
    places = np.frombuffer(sent, "<f4", 3 * count, 4).reshape(-1, 3)
    faces = np.frombuffer(sent, "<u4", offset=4 + 12 * count).reshape(-1, 3)
    # from the first voxel, in m
    back = places * 1e9 + np.array(mesh.info()["voxelOffset"]) * movable.SPARSE_NM
    assert back == pytest.approx(vertices, abs=0.05) and (faces == sphere.faces).all()
