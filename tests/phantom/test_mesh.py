import numpy as np
import pytest
import trimesh

from spinome.phantom.geometry import HEAD, SHAFT, chain, surface_at
from spinome.phantom.mesh import mesh_synapses, neuron_mesh, tubes_mesh
from spinome.phantom.specimen import NEURON


@pytest.mark.parametrize(
    ("tubes", "volume"),
    [
        (chain(np.array([[100.0, 50, 0]]), np.array([900.0]), HEAD, 0, 0), 4 / 3 * np.pi * 0.9**3),
        (
            chain(np.array([[0.0, 0, 0], [0, 0, 9000]]), np.full(2, 500.0), SHAFT, 0),
            np.pi * 0.5**2 * 9 + 4 / 3 * np.pi * 0.5**3,
        ),
    ],
)
def test_volume_is_that_of_the_shape(tubes, volume):
    mesh = tubes_mesh(tubes, 60.0, seed=1)
    solid = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    assert solid.is_watertight
    assert solid.volume / 1e9 == pytest.approx(volume, rel=0.05)


def test_neuron_is_one_closed_piece_turned_outwards(mesh):
    solid = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    assert solid.is_watertight
    assert solid.is_winding_consistent
    assert solid.volume > 0
    assert solid.body_count == 1
    assert len(solid.unique_faces().nonzero()[0]) == len(mesh.faces)


def test_vertices_lie_on_the_surface_and_carry_its_labels(specimen, mesh):
    chosen = np.random.default_rng(0).integers(0, len(mesh.vertices), 400)
    tubes = specimen.tubes(neuron=NEURON)
    found = surface_at(tubes, mesh.vertices[chosen, ::-1], specimen.seed)
    assert np.abs(found.distance).max() < 40
    label = np.array([0, 1, 1, 2])[tubes.part[found.tube]]
    assert (label == mesh.vertex_data["label"][chosen]).mean() > 0.99
    np.testing.assert_array_equal(mesh.vertex_data["label"] == 1, mesh.vertex_data["spine_id"] >= 0)


def test_every_spine_of_the_last_session_is_in_the_mesh_at_its_place(specimen, mesh):
    there = specimen.present(len(specimen.days) - 1)
    there = there[there["neuron"] == NEURON].set_index("spine")
    ids = mesh.vertex_data["spine_id"]
    assert set(ids[ids >= 0]) == set(there.index)
    for spine in there.index:
        head = there.loc[spine, ["head_x_nm", "head_y_nm", "head_z_nm"]].to_numpy(float)
        reach = np.linalg.norm(mesh.vertices[ids == spine] - head, axis=1)
        assert reach.min() < 0.8 * there.loc[spine, "head_diameter_nm"]


def test_synapses_have_the_columns_of_cave_and_lie_on_the_mesh(specimen, mesh):
    table = mesh_synapses(specimen)
    assert {"id", "size", "pre_pt_root_id", "post_pt_root_id", "tag", "spine"} <= set(table)
    assert table["id"].is_unique
    position = table[[f"ctr_pt_position_{axis}" for axis in "xyz"]].to_numpy()
    nearest = [np.linalg.norm(mesh.vertices - point, axis=1) for point in position]
    assert max(distance.min() for distance in nearest) < 150
    labels = np.array(["shaft", "spine", "soma"])[[mesh.vertex_data["label"][d.argmin()] for d in nearest]]
    assert (labels == table["tag"]).mean() > 0.9


def test_a_grid_too_coarse_for_necks_is_refused(specimen):
    with pytest.raises(ValueError, match="make mesh_grid_nm smaller"):
        neuron_mesh(specimen, 260.0)
