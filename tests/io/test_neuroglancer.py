"""What is written is what the format's description says, byte by byte.

cloud-volume 12.15.2 opened such a layer, by place (`from_cloudpath(layer).get_all().pandas()`) and by id
(`get_by_id`), with the same positions, tags and probabilities.
"""

import json
import struct

import numpy as np
import pytest
import tensorstore

from spinome.io.neuroglancer import write_points

TAGS = ("shaft", "spine", "soma")
IDS = np.array([13, 864691135361314119, 7, 2**62])
POINTS = np.array([[352136.0, 229560.5, 20960], [398344, 208024, 51960], [1, 2, 3], [-5, 0.25, 9]])
TAG = np.array([1, 0, 2, 1])
PROBABILITY = np.array([0.5, 0.875, 0.25, 1.0])


@pytest.fixture
def layer(tmp_path):
    write_points(tmp_path / "layer", IDS, POINTS, TAG, PROBABILITY, TAGS)
    return tmp_path / "layer"


def decode(content):
    """Position, probability and tag of a point, as the description of the format orders them."""
    *position, probability, tag = struct.unpack("<3ffB3x", content)
    return *position, probability, tag


def expected():
    return {
        number: (*point, probability, tag)
        for number, point, probability, tag in zip(IDS.tolist(), POINTS.tolist(), PROBABILITY, TAG)
    }


def test_the_description(layer):
    info = json.loads((layer / "info").read_text())
    assert info["@type"] == "neuroglancer_annotations_v1"
    assert info["annotation_type"] == "POINT"
    assert info["dimensions"] == {"x": [1e-9, "m"], "y": [1e-9, "m"], "z": [1e-9, "m"]}
    assert (np.array(info["lower_bound"]) <= POINTS.min(axis=0)).all()
    assert (np.array(info["upper_bound"]) > POINTS.max(axis=0)).all()
    probability, tag = info["properties"]
    assert dict(zip(tag["enum_values"], tag["enum_labels"])) == {0: "shaft", 1: "spine", 2: "soma"}
    assert (probability["id"], probability["type"]) == ("probability", "float32")
    (level,) = info["spatial"]
    assert np.allclose(np.array(info["lower_bound"]) + level["chunk_size"], info["upper_bound"])
    assert level["limit"] >= len(IDS)


def test_every_point_is_found_by_place(layer):
    content = (layer / "spatial" / "0_0_0").read_bytes()
    (count,) = struct.unpack("<Q", content[:8])
    assert len(content) == 8 + count * (20 + 8)
    points = [decode(content[8 + 20 * number :][:20]) for number in range(count)]
    ids = struct.unpack(f"<{count}Q", content[8 + 20 * count :])
    assert dict(zip(ids, points)) == expected()


def test_every_point_is_found_by_id(layer):
    by_id = json.loads((layer / "info").read_text())["by_id"]
    store = tensorstore.KvStore.open(
        {
            "driver": "neuroglancer_uint64_sharded",
            "metadata": by_id["sharding"],
            "base": {"driver": "file", "path": f"{layer / by_id['key']}/"},
        }
    ).result()
    found = {int.from_bytes(key, "big"): decode(store.read(key).result().value) for key in store.list().result()}
    assert found == expected()


def test_a_layer_without_a_point_can_be_written(tmp_path):
    write_points(tmp_path / "layer", np.zeros(0, int), np.zeros((0, 3)), np.zeros(0, int), np.zeros(0), TAGS)
    assert (tmp_path / "layer" / "spatial" / "0_0_0").read_bytes() == bytes(8)
    info = json.loads((tmp_path / "layer" / "info").read_text())
    assert (np.array(info["upper_bound"]) > info["lower_bound"]).all()


def test_the_same_layer_twice_is_the_same_bytes(layer, tmp_path):
    write_points(tmp_path / "again", IDS, POINTS, TAG, PROBABILITY, TAGS)
    for file in ("info", "spatial/0_0_0", "by_id/0.shard"):
        assert (tmp_path / "again" / file).read_bytes() == (layer / file).read_bytes()


@pytest.mark.parametrize("ids", [[1, 1, 2, 3], [-1, 0, 1, 2]])
def test_ids_that_cannot_tell_points_apart_are_an_error(tmp_path, ids):
    with pytest.raises(ValueError, match="layer: points need ids from 0, each once"):
        write_points(tmp_path / "layer", np.array(ids), POINTS, TAG, PROBABILITY, TAGS)
