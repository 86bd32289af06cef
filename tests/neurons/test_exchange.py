"""What other programs are given: every synapse and every vertex, with its label."""

import json

import numpy as np
import pandas as pd
import pytest
import trimesh

from spinome.io.cave import ENDS, POSITION, read_synapses
from spinome.io.neuroglancer import POINT
from spinome.neurons.classes import CLASSES
from spinome.neurons.exchange import PALETTE, published, write_coloured, write_synapses
from spinome.neurons.synapses import label_synapses

ROOT = 864691135361314119


@pytest.fixture
def neuron(tube):
    """A tube, spine on the right, and its three synapses, the last too far."""
    code = np.where(tube.vertices[:, 0] > 15_000, CLASSES.index("spine"), CLASSES.index("shaft"))
    points = pd.DataFrame([[5000.0, 500, 0], [25_000, 0, 520], [5000, 5000, 0]], columns=POSITION)
    partners = pd.array([ROOT, None, 5], "Int64")
    synapses = points.assign(id=[2**60 + 1, 3, 4], size=[10, 20, 30], pre_pt_root_id=partners, post_pt_root_id=ROOT + 2)
    return (
        tube,
        code,
        label_synapses(synapses, tube.vertices, tube.faces, np.eye(3)[code] * 0.9, np.full(len(code), -1)),
    )


def test_the_table_has_the_published_columns_and_every_synapse(neuron, tmp_path):
    write_synapses(tmp_path, neuron[2])
    lines = (tmp_path / "synapses.csv").read_text().splitlines()
    assert lines == [
        "id,size,pre_pt_root_id,post_pt_root_id,tag,value,ctr_pt_position_x,ctr_pt_position_y,ctr_pt_position_z",
        f"{2**60 + 1},10,{ROOT},{ROOT + 2},shaft,0.9,5000.0,500.0,0.0",
        f"3,20,,{ROOT + 2},spine,0.9,25000.0,0.0,520.0",
        f"4,30,5,{ROOT + 2},,,5000.0,5000.0,0.0",
    ]


def test_both_ends_of_a_synapse_are_passed_on_where_the_table_has_them(tube, tmp_path):
    points = pd.DataFrame([[1250.0, 125, 0, 1250, 100, 0, 1250, 150, 1]], columns=[*POSITION, *ENDS])
    points.assign(id=1, size=3.5).to_csv(tmp_path / "cave.csv", index=False)
    synapses = read_synapses(tmp_path / "cave.csv", (4.0, 4.0, 40.0))
    probability, spine = np.tile([1.0, 0, 0], (len(tube.vertices), 1)), np.full(len(tube.vertices), -1)
    table = published(label_synapses(synapses, tube.vertices, tube.faces, probability, spine))
    assert table.loc[0, ENDS].tolist() == [5000, 400, 0, 5000, 600, 40] and table.loc[0, "size"] == 3.5


def test_the_layer_has_a_point_for_each_labelled_synapse(neuron, tmp_path):
    write_synapses(tmp_path, neuron[2])
    properties = {
        entry["id"]: entry for entry in json.loads((tmp_path / "synapses" / "info").read_text())["properties"]
    }
    content = (tmp_path / "synapses" / "spatial" / "0_0_0").read_bytes()
    points = np.frombuffer(content, POINT, 2, 8)
    ids = np.frombuffer(content, "<u8", offset=8 + points.nbytes).tolist()
    named = {number: properties["tag"]["enum_labels"][point["tag"]] for number, point in zip(ids, points)}
    assert named == {2**60 + 1: "shaft", 3: "spine"}
    assert {number: point["position"].tolist() for number, point in zip(ids, points)} == {
        2**60 + 1: [5000, 500, 0],
        3: [25_000, 0, 520],
    }
    assert np.allclose(points["probability"], 0.9)


def test_rows_that_are_there_twice_are_one_point(neuron, tmp_path):
    synapses = neuron[2]
    write_synapses(tmp_path / "twice", pd.concat([synapses, synapses], ignore_index=True))
    assert len((tmp_path / "twice" / "synapses.csv").read_text().splitlines()) == 7
    assert (tmp_path / "twice" / "synapses" / "spatial" / "0_0_0").stat().st_size == 8 + 2 * 28
    with pytest.raises(ValueError, match="points need ids from 0, each once"):
        write_synapses(tmp_path / "clash", synapses.assign(id=7))


def test_the_mesh_has_one_colour_a_class(neuron, tmp_path):
    mesh, code, _ = neuron
    write_coloured(tmp_path, mesh, code)
    assert [file.name for file in tmp_path.iterdir()] == ["mesh.ply"]
    back = trimesh.load(tmp_path / "mesh.ply", process=False)
    assert np.array_equal(back.visual.vertex_colors[:, :3], PALETTE[code])
    assert len(np.unique(PALETTE, axis=0)) == 3
