import numpy as np
import pandas as pd
import pytest

from spinome.io.meshes import read_mesh
from spinome.mesh.closed_volume import closed_volumes, oriented, owned_faces
from spinome.mesh.surface import Mesh
from spinome.mesh.welding import weld
from spinome.neurons.classes import CLASSES
from spinome.neurons.morphometry import carried
from spinome.neurons.spines import find_spines
from spinome.neurons.truth import read_vertex_truth

SPINE = CLASSES.index("spine")


def volume_of(mesh, faces=None):
    faces = mesh.faces if faces is None else faces
    return closed_volumes(mesh.vertices, *owned_faces(faces, np.zeros(len(mesh.vertices), int)), 1)


def test_a_closed_sphere_has_its_volume(sphere):
    away = Mesh(sphere.vertices + 1e6, sphere.faces)
    assert volume_of(away) == pytest.approx([4 / 3 * np.pi * 1000**3], rel=0.02)


def test_an_open_tube_is_closed_at_both_ends(tube):
    assert volume_of(tube) == pytest.approx([np.pi * 500**2 * 30_000], rel=0.03)


def test_inverted_normals_do_not_matter_not_even_of_some_faces(tube):
    some = np.random.default_rng(0).random(len(tube.faces)) < 0.3
    for inverted in (np.ones(len(tube.faces), bool), some):
        faces = np.where(inverted[:, None], tube.faces[:, ::-1], tube.faces)
        assert volume_of(tube, faces) == pytest.approx(volume_of(tube))


def test_each_piece_faces_the_way_of_most_of_its_faces(sphere, joined):
    two = joined(sphere, Mesh(sphere.vertices + 5000, sphere.faces[:, ::-1]))
    some = np.random.default_rng(0).random(len(two.faces)) < 0.3
    assert (oriented(np.where(some[:, None], two.faces[:, ::-1], two.faces)) == two.faces)[~some].all()
    assert oriented(two.faces) is two.faces


def test_a_mushroom_spine_is_measured(mushroom):
    mesh, part, head, neck, neck_length = mushroom
    _, table = find_spines(mesh, part == 1, np.where(part == 1, 0.9, 0.1))
    assert len(table) == 1
    row = table.iloc[0]
    volume = (4 / 3 * np.pi * head**3 + np.pi * neck**2 * neck_length) / 1e9
    assert row["volume_um3"] == pytest.approx(volume, rel=0.03)
    assert row["head_diameter_nm"] == pytest.approx(2 * head, rel=0.03)
    assert row["head_volume_um3"] == pytest.approx(4 / 3 * np.pi * head**3 / 1e9, rel=0.05)
    assert row["neck_length_nm"] == pytest.approx(neck_length, abs=100)
    assert row["neck_diameter_nm"] == pytest.approx(2 * neck, rel=0.05)
    assert row["length_nm"] == pytest.approx(neck_length + 2 * head, rel=0.05)
    assert row["base_z_nm"] == pytest.approx(200, abs=60)
    assert row["z_nm"] == pytest.approx(200 + neck_length + head, abs=60)
    assert row["probability"] == pytest.approx(0.9)


def test_a_fleck_on_the_head_is_no_base(mushroom):
    mesh, part, _, _, neck_length = mushroom
    on_spine = part == 1
    on_spine[np.argsort(-mesh.vertices[:, 2])[:20]] = False
    row = find_spines(mesh, on_spine, on_spine * 1.0)[1].iloc[0]
    assert row["base_z_nm"] == pytest.approx(200, abs=60)
    assert row["neck_length_nm"] == pytest.approx(neck_length, abs=100)


def test_a_spine_without_a_shaft_still_has_a_row(sphere):
    everywhere = np.ones(len(sphere.vertices), bool)
    row = find_spines(sphere, everywhere, everywhere * 1.0)[1].iloc[0]
    assert row["head_diameter_nm"] == pytest.approx(2000, rel=0.02)
    assert np.isnan(row["neck_length_nm"]) and np.isnan(row["base_z_nm"])
    assert row["head_volume_um3"] == pytest.approx(row["volume_um3"])


def test_spines_of_a_real_neuron_are_found_one_by_one(shared_data):
    """The labelled regions of the neuron hold 204 extracted spines, some of which share a base."""
    path = shared_data("neurons/864691134900032266_labelled.npz")
    mesh = weld(read_mesh(str(path)))[0]
    true = read_vertex_truth(path, mesh)
    found, table = find_spines(mesh, true.spine >= 0, np.ones(len(mesh.vertices)))
    whole, _ = find_spines(mesh, true.spine >= 0, np.ones(len(mesh.vertices)), rise_nm=np.inf)
    both = pd.DataFrame({"true": true.spine, "split": found, "whole": whole})[true.spine >= 0]
    merged = {
        name: (both.groupby(name)["true"].agg(lambda ids: (ids.value_counts() > 100).sum()) > 1).sum()
        for name in ("split", "whole")
    }
    assert merged["split"] < merged["whole"] / 2
    assert (table["volume_um3"] > 0).all() and table["volume_um3"].median() < 0.5


def test_multi_input_needs_two_partners_on_one_head():
    spines = pd.DataFrame({"spine": [0, 1, 2, 3]})
    synapses = pd.DataFrame(
        {
            "spine": pd.array([0, 0, 1, 1, 2, 2, None], "Int64"),
            "pre_pt_root_id": [1, 2, 1, 1, 1, 2, 3],
            "z_nm": [0.0] * 7,
            "y_nm": [0.0] * 7,
            "x_nm": [0.0, 500, 0, 500, 0, 5000, 0],
        }
    )
    table = carried(spines, synapses)
    assert table["synapses"].tolist() == [2, 2, 2, 0]
    assert table["partners"].tolist() == [2, 1, 2, 0]
    assert table["multi_input"].tolist() == [True, False, False, False]
    unknown = carried(spines, synapses.assign(pre_pt_root_id=pd.array([None] * len(synapses), "Int64")))
    assert unknown["partners"].isna().tolist() == [True, True, True, False]
    assert unknown["multi_input"].isna().tolist() == [True, True, True, False]


def test_a_mesh_without_spines_has_an_empty_table(sphere):
    none = np.zeros(len(sphere.vertices), bool)
    assert find_spines(sphere, none, none * 1.0)[1].empty
