import numpy as np
import pandas as pd
import pytest

from spinome.io.meshes import vertex_areas
from spinome.neurons.classify import CLASSES
from spinome.neurons.spines import carried, closed_volumes, measure_spines, spine_regions

SHAFT, SPINE = CLASSES.index("shaft"), CLASSES.index("spine")


def test_a_closed_sphere_has_its_volume(sphere):
    volume = closed_volumes(sphere.vertices + 1e6, sphere.faces, np.zeros(len(sphere.vertices), int))
    assert volume == pytest.approx([4 / 3 * np.pi * 1000**3], rel=0.02)


def test_an_open_tube_is_closed_at_both_ends(tube):
    volume = closed_volumes(tube.vertices, tube.faces, np.zeros(len(tube.vertices), int))
    assert volume == pytest.approx([np.pi * 500**2 * 30_000], rel=0.03)


def test_inverted_normals_do_not_matter(tube):
    region = np.zeros(len(tube.vertices), int)
    assert closed_volumes(tube.vertices, tube.faces[:, ::-1], region) == pytest.approx(
        closed_volumes(tube.vertices, tube.faces, region)
    )


def test_regions_are_connected_and_large_enough(mushroom, joined):
    mesh, part, *_ = mushroom
    two = joined(mesh, type(mesh)(mesh.vertices + np.array([5000, 0, 0]), mesh.faces))
    label = np.tile(np.where(part == 1, SPINE, SHAFT), 2)
    label[:5] = SPINE  # a fleck on the shaft
    spine = spine_regions(label, two.faces, vertex_areas(two.vertices, two.faces))
    assert spine.max() == 1
    assert (spine[:5] == -1).all()
    assert set(spine[: len(mesh.vertices)][part == 1]) == {0}
    assert set(spine[len(mesh.vertices) :][part == 1]) == {1}


def test_a_mushroom_spine_is_measured(mushroom):
    mesh, part, head, neck, neck_length = mushroom
    spine = np.where(part == 1, 0, -1)
    row = measure_spines(mesh.vertices, mesh.faces, spine, np.where(part == 1, 0.9, 0.1)).iloc[0]
    volume = (4 / 3 * np.pi * head**3 + np.pi * neck**2 * neck_length) / 1e9
    assert row["volume_um3"] == pytest.approx(volume, rel=0.06)
    assert row["head_diameter_nm"] == pytest.approx(2 * head, rel=0.1)
    assert row["neck_length_nm"] == pytest.approx(neck_length, abs=200)
    assert row["base_z_nm"] == pytest.approx(200, abs=60)
    assert row["z_nm"] == pytest.approx(200 + neck_length + head, abs=120)
    assert row["probability"] == pytest.approx(0.9)


def test_a_spine_without_a_shaft_still_has_a_row(sphere):
    row = measure_spines(sphere.vertices, sphere.faces, np.zeros(len(sphere.vertices), int), np.ones(642)).iloc[0]
    assert row["head_diameter_nm"] == pytest.approx(2000, rel=0.02)
    assert np.isnan(row["neck_length_nm"]) and np.isnan(row["base_z_nm"])


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
    none = np.full(len(sphere.vertices), -1)
    assert measure_spines(sphere.vertices, sphere.faces, none, np.zeros(len(none))).empty
